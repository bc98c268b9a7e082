"""Ollama's store: read, never changed."""
