"""finrec: which financial product fits which customer, and why."""

__version__ = "0.1.0"
