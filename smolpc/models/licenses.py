"""Which licence a text, or a word in a GGUF header, stands for: an SPDX id where there is
one, else `LicenseRef-...`. Shown to people and compared with an admin's allow-list: a text
that is not recognised for sure gets an id of its own, never that of a similar licence."""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple

from smolpc.schema.model import License

UNKNOWN = "LicenseRef-Unknown"
LOOKED_AT = 6000  # characters: a licence says what it is at its beginning


class Known(NamedTuple):
    id: str
    commercial: bool | None  # None: with conditions (users, purposes) that are not read here
    pattern: str  # what the beginning of the text says, white space as one space each
    words: tuple[str, ...] = ()  # `general.license` or `general.license.name`, lower case


# More specific ones first: the Llama licences name Llama 2 in their text as well.
KNOWN = (
    Known("Apache-2.0", True, r"apache license,? version 2\.0", ("apache-2.0",)),
    Known("MIT", True, r"permission is hereby granted, free of charge, to any person", ("mit",)),
    Known("LicenseRef-Llama-4", None, r"llama 4 community license", ("llama4",)),
    Known("LicenseRef-Llama-3.3", None, r"llama 3\.3 community license", ("llama3.3",)),
    Known("LicenseRef-Llama-3.2", None, r"llama 3\.2 community license", ("llama3.2",)),
    Known("LicenseRef-Llama-3.1", None, r"llama 3\.1 community license", ("llama3.1",)),
    Known("LicenseRef-Llama-3", None, r"llama 3 community license", ("llama3",)),
    Known("LicenseRef-Llama-2", None, r"llama 2 community license", ("llama2",)),
    Known("LicenseRef-Gemma", None, r"gemma terms of use", ("gemma",)),
    Known(
        "LicenseRef-Qwen-Research",
        False,
        r"qwen research license",
        ("qwen-research",),
    ),
    Known("LicenseRef-Qwen", None, r"(?:tongyi qianwen|qwen) license", ("qwen",)),
    Known("LicenseRef-DeepSeek", None, r"deepseek license agreement", ("deepseek",)),
    Known(
        "LicenseRef-Mistral-Research",
        False,
        r"mistral ai (?:research|non-production) license",
        ("mrl", "mnpl"),
    ),
    Known("LicenseRef-BigCode-OpenRAIL-M", None, r"bigcode open ?rail-?m", ("bigcode-openrail-m",)),
    Known(
        "CC-BY-NC-4.0", False, r"attribution-noncommercial 4\.0 international", ("cc-by-nc-4.0",)
    ),
    Known("CC-BY-4.0", True, r"attribution 4\.0 international", ("cc-by-4.0",)),
    Known(
        "BSD-3-Clause", True, r"neither the name of .{1,200} endorse or promote", ("bsd-3-clause",)
    ),
)


def of_text(text: str) -> License:
    """The licence that `text` is."""
    plain = " ".join(text[:LOOKED_AT].split())
    if not plain:
        return License(id=UNKNOWN)
    for known in KNOWN:
        if re.search(known.pattern, plain, re.IGNORECASE):
            return License(id=known.id, name=_title(text), commercial=known.commercial)
    digest = hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
    return License(id=f"LicenseRef-{digest[:12]}", name=_title(text))


def of_word(word: str) -> License:
    """The licence that a header names, such as "apache-2.0"."""
    plain = word.strip().lower()
    for known in KNOWN:
        if plain in known.words or plain == known.id.lower():
            return License(id=known.id, commercial=known.commercial)
    safe = re.sub(r"[^A-Za-z0-9.-]+", "-", word).strip("-")[:64]
    return License(id=f"LicenseRef-{safe}" if safe and plain != "other" else UNKNOWN)


def _title(text: str) -> str:
    """The first line that says something, for people."""
    for line in text.splitlines():
        words = " ".join(line.split()).strip(" #*=-")
        if words:
            return words[:80]
    return ""
