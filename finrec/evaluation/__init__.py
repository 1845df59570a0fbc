"""Honest measurement: metrics, protocols, comparison, significance, groups."""
