"""From scores to what is offered: lists, policy, campaigns, files."""
