"""Unpack archives that strangers made: `extract` a folder, or read one `member`."""

from smolpc.archive.unpack import Extracted, extract, member

__all__ = ["Extracted", "extract", "member"]
