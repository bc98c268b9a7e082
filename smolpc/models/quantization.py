"""The types `llama-quantize` can make, and what it prints while it works.

It has no machine-readable output; the lines read here are those of the pinned version
(llama-quant.cpp), and an integration test runs it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from smolpc.catalog.reading import did_you_mean
from smolpc.errors import UsageError
from smolpc.models import describe
from smolpc.schema.base import Bytes, Value

# quantize.cpp, QUANT_OPTIONS: the aliases, and what needs an importance matrix is found out
# by its dry run. COPY is left out: it would not quantize.
ALIASES = {"Q3_K": "Q3_K_M", "Q4_K": "Q4_K_M", "Q5_K": "Q5_K_M"}
NOT_MADE = {"NVFP4"}  # can be loaded, but llama-quantize does not make it
TYPES = tuple(name for name in describe.FILE_TYPES.values() if name not in NOT_MADE)
WHOLE = {"F32", "F16", "BF16"}  # not quantized: nothing is lost twice

TENSOR = re.compile(r"\[ *(\d+)/ *(\d+)\] (\S+) .*type = *(\w+), (.*)")
CONVERTED = re.compile(r"size = *[\d.]+ MiB -> ")
NEW_SIZE = re.compile(r"quant size *= *([\d.]+) MiB")
NEEDS_IMATRIX = "will require an imatrix"
FAILED = re.compile(r"failed to quantize: (.*)|error(?: loading model)?: (.*)")


class DryRun(Value, kw_only=True):
    """What a quantization will do. `size` is of the tensors, to about 10 kB a model;
    `requantized` are the types of quantized tensors that it would quantize again."""

    size: Bytes
    tensors: int
    requantized: tuple[str, ...] = ()
    needs_imatrix: bool = False


def type_named(text: str) -> str:
    """The type as `llama-quantize` spells it. Raises UsageError with a did-you-mean."""
    name = text.strip().upper().replace("-", "_")
    name = ALIASES.get(name, name)
    if name not in TYPES:
        raise UsageError(
            f"there is no quantization '{text}'{did_you_mean(name, TYPES)}",
            why=f"known: {', '.join(TYPES)}",
            next_step="smolpc models.quantize MODEL --type Q4_K_M",
        )
    return name


def parse_dry_run(output: str) -> DryRun | None:
    """What `llama-quantize --dry-run` printed, or None when it did not come to its end."""
    size = NEW_SIZE.search(output)
    if size is None:
        return None
    tensors, again = 0, set[str]()
    for line in output.splitlines():
        found = TENSOR.match(line)
        if found is None:
            continue
        tensors = int(found[2])
        kind = found[4].upper()
        if kind not in WHOLE and CONVERTED.search(found[5]):
            again.add(kind)
    return DryRun(
        size=int(float(size[1]) * (1 << 20)),
        tensors=tensors,
        requantized=tuple(sorted(again)),
        needs_imatrix=NEEDS_IMATRIX in output,
    )


def progress(line: str) -> tuple[int, int] | None:
    """Tensors done and in all, from one line of output."""
    found = TENSOR.match(line)
    return (int(found[1]), int(found[2])) if found else None


def reason(lines: Sequence[str]) -> str:
    """Why it failed, as it said."""
    for line in reversed(lines):
        found = FAILED.search(line)
        if found:
            return found[1] or found[2]
    return next((line.strip() for line in reversed(lines) if line.strip()), "it gave no reason")
