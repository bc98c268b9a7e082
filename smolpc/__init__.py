"""smolpc turns any PC into a fast, verified, offline AI code helper."""

__version__ = "0.1.0"
