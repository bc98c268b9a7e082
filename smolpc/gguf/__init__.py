"""GGUF headers: what a model file says about itself, read without its weights.

The reader trusts nothing: a hostile file gives a TrustError in bounded time and memory.
"""
