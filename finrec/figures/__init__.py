"""Frames drawn as plotly figures and written as words; used by pages, reports and tests alike."""
