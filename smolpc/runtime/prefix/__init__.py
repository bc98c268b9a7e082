"""Prompt tokens that need not be computed again: in the context, and on disk."""
