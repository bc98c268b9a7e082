"""The command line: one module a noun, each command parses, calls and prints."""

from smolpc.cli.namespace import namespace

__all__ = ["namespace"]
