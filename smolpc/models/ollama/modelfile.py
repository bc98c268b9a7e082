"""Write a Modelfile, the text from which `ollama create` makes a model.

The format (Ollama's parser): a line begins with a command; its value goes to the end of
the line, or, begun with three quotes, to the first line that ends with three quotes. There
is no way to escape anything, and characters that do not print are dropped while reading.
What could end a value early is therefore changed, and a note says so.
"""

from __future__ import annotations

import re
from pathlib import Path

from smolpc.errors import UsageError
from smolpc.schema.base import Value
from smolpc.schema.model import Defaults, ModelManifest

QUOTES = '"""'
# Three quotes, and nothing after them in the line that certainly prints.
ENDS_EARLY = re.compile(r'"{3,}(?=[^!-~]*[\r\n])')
# What `ollama create` knows today (api.Options); for others it fails.
PARAMETERS = (
    *("num_ctx", "num_batch", "num_gpu", "main_gpu", "use_mmap", "num_thread", "num_keep"),
    *("seed", "num_predict", "top_k", "top_p", "min_p", "typical_p", "repeat_last_n"),
    *("temperature", "repeat_penalty", "presence_penalty", "frequency_penalty", "stop"),
)


class Modelfile(Value, kw_only=True):
    """The text, and a sentence for each thing that could not be written as it is."""

    text: str
    notes: tuple[str, ...] = ()


def render(manifest: ModelManifest, path: Path) -> Modelfile:
    """The Modelfile of a stored model, whose GGUF file is `path`.

    Raises UsageError when the path holds characters that a Modelfile cannot hold.
    """
    place = str(path.absolute())
    if not place.isprintable() or place != place.strip() or place.startswith('"'):
        raise UsageError(
            "the path of the model cannot be written into a Modelfile",
            why=f"{place!a} holds characters that Ollama drops",
            next_step="move the store: SMOLPC_STORE=/another/folder smolpc setup",
        )
    brought = manifest.defaults or Defaults()
    notes: list[str] = []
    lines = [f"# {manifest.name}, written by smolpc models.export-ollama", f"FROM {place}"]
    for command, text in (
        ("TEMPLATE", brought.template),
        ("SYSTEM", brought.system),
        ("LICENSE", brought.license_text or manifest.license.name or manifest.license.id),
    ):
        if text.strip():
            lines.append(f"{command} {_quoted(text, command.lower(), notes)}")
    for name, value in sorted(brought.options.items()):
        if name not in PARAMETERS:
            notes.append(f"not exported: the parameter {name}, which Ollama does not know")
            continue
        for one in value if isinstance(value, tuple) else (value,):
            lines.append(f"PARAMETER {name} {_value(one, name, notes)}")
    return Modelfile(text="\n".join(lines) + "\n", notes=tuple(dict.fromkeys(notes)))


def _value(value: str | int | float | bool, name: str, notes: list[str]) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return _quoted(value, f"parameter {name}", notes) if isinstance(value, str) else repr(value)


def _quoted(text: str, what: str, notes: list[str]) -> str:
    """`text` so that Ollama reads it whole and nothing after it."""
    kept = "".join(letter for letter in text if letter.isprintable() or letter in "\n\t")
    if kept != text:
        notes.append(f"the {what} was exported without characters that do not print")
    safe = ENDS_EARLY.sub(lambda match: "'" * len(match[0]), kept)
    if safe != kept:
        notes.append(f"in the {what} three quotes at the end of a line became apostrophes")
    return f"{QUOTES}{safe}{QUOTES}"
