"""Why a product is offered to a customer: plain functions from a network and a customer."""
