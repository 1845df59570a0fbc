"""Losses, the one training loop, checkpoints and background jobs."""
