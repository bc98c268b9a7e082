"""Amounts of memory as people write them."""

from __future__ import annotations

import re

FORM = re.compile(r"(\d{1,15}(?:\.\d{1,15})?) ?((?:[kmgt]i?)?)b?", re.IGNORECASE | re.ASCII)
POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def size_of(text: str) -> int:
    """Bytes: "6G" is 6,000,000,000, "512MiB", "1.5 g"; "" is 0. Raises ValueError."""
    if not text.strip():
        return 0
    found = FORM.fullmatch(text.strip())
    if found is None:
        raise ValueError("it is a number of bytes, with k, M or G behind it, such as 1.5G")
    unit = found[2].lower()
    base = 1024 if unit.endswith("i") else 1000
    return int(float(found[1]) * base ** POWERS[unit.rstrip("i")])
