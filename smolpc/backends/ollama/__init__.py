"""Ollama as a backend: its HTTP API, its names and its habits."""

from smolpc.backends.ollama.backend import Ollama

__all__ = ["Ollama"]
