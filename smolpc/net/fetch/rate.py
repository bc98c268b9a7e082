"""Bandwidth as people write it."""

from __future__ import annotations

import re

from smolpc.errors import UsageError

UNITS = {"": 1, "k": 1000, "m": 1000**2, "g": 1000**3, "ki": 1 << 10, "mi": 1 << 20, "gi": 1 << 30}
FORM = re.compile(r"(\d{1,15}(?:[.,]\d{1,15})?)\s*([kmg]i?)?b?(?:/s)?", re.IGNORECASE | re.ASCII)


def parse_rate(text: str) -> int:
    """Bytes a second: "5M" is 5,000,000, "800k", "1.5MiB/s"; "" or "0" is 0, no limit.

    Raises UsageError.
    """
    if not text.strip():
        return 0
    found = FORM.fullmatch(text.strip())
    rate = (
        round(float(found[1].replace(",", ".")) * UNITS[(found[2] or "").lower()]) if found else 0
    )
    if found is None or (rate == 0 and float(found[1].replace(",", ".")) != 0):
        raise UsageError(
            f"the download limit '{text}' cannot be understood",
            why="it is bytes a second, with k, M or G behind the number",
            next_step="smolpc models.pull NAME --limit 5M",
        )
    return rate
