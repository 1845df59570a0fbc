"""Turns the training part of a split into tensors; nothing here is learned by gradient.

Whatever is fitted (vocabularies, means, graph edges) sees the training part only.
"""
