"""Reads GGUF files that want to do harm, in a process of its own with limits; prints JSON.

    python -m tests.integration.gguf_child FILE...
    python -m tests.integration.gguf_child --heavy

For each file: the most memory that reading it took (bytes, by tracemalloc), and what came of
it. For all together: CPU seconds without tracemalloc, which slows everything down.
"""

from __future__ import annotations

import contextlib
import json
import struct
import sys
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

from smolpc.errors import TrustError
from smolpc.gguf import read_header
from tests.gguf import build as g

ADDRESS_SPACE = 1 << 30  # bytes, for the interpreter, the file and the reader together


class Zeros(g.Memory):
    """A huge file without a disk: `head`, then zeros."""

    def __init__(self, head: bytes, size: int | None) -> None:
        super().__init__(head)
        self.size = size

    def read_at(self, offset: int, count: int) -> bytes:
        if self.size is not None:
            count = max(min(count, self.size - offset), 0)
        part = self.data[offset : offset + count]
        return part + bytes(count - len(part))


class Repeating(g.Memory):
    """`head`, then one unit for ever."""

    def __init__(self, head: bytes, unit: bytes) -> None:
        super().__init__(head)
        self.size, self.unit = 1 << 40, unit

    def read_at(self, offset: int, count: int) -> bytes:
        part = self.data[offset : offset + count]
        if len(part) == count:
            return part
        at = (offset + len(part) - len(self.data)) % len(self.unit)
        missing = count - len(part)
        return part + (self.unit * (missing // len(self.unit) + 2))[at : at + missing]


def array(kind: int, count: int) -> bytes:
    return g.build([("k", g.Raw(struct.pack("<IIQ", g.ARRAY, kind, count)))])


def heavy() -> Iterator[tuple[str, g.Memory]]:
    """Files made to cost as much as the reader's own limits allow."""
    names = [f"blk.{i}.{'n' * 63}"[:63] for i in range(65536)]
    rows = g.placed([(name, (1, 1, 1, 2**20), g.F32) for name in names])
    numbers = [(f"{i}", g.Typed(g.FLOAT64, [i / 7] * 1024, array=True)) for i in range(64)]
    strings = ("strings", g.Typed(g.STRING, [b""] * (1 << 21), array=True))
    yield "everything", Zeros(g.build([*numbers, strings], rows, data=False), 1 << 60)
    few = [(f"k{i}", "\U0001f600" + "x" * ((1 << 20) - 9)) for i in range(4)]
    yield "texts that Python stores in four bytes a letter", g.Memory(g.build(few))
    yield "keys", g.Memory(g.build([(f"{i}" + "k" * 999, i) for i in range(4096)]))
    yield "strings, size unknown", Zeros(array(g.STRING, 1 << 21), None)
    for length in (50, 1 << 20, (4 << 20) - 7):
        unit = struct.pack("<Q", length) + bytes(length)
        yield f"strings of {length}", Repeating(array(g.STRING, 1 << 21), unit)


def attempt(source: g.Memory) -> str:
    try:
        header = read_header(source)
    except TrustError as error:
        return error.why
    return f"{len(header.metadata)} entries, {len(header.tensors)} tensors"


def main(arguments: list[str]) -> None:
    with contextlib.suppress(ImportError):  # not on Windows: tracemalloc has to do there
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (ADDRESS_SPACE, ADDRESS_SPACE))
    if arguments == ["--heavy"]:
        sources = list(heavy())
    else:
        sources = [(name, g.Memory(Path(name).read_bytes())) for name in arguments]
    seconds, results = 0.0, []
    for name, source in sources:
        begin = time.process_time()
        said = attempt(source)
        seconds += time.process_time() - begin
        tracemalloc.start()
        attempt(source)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        results.append({"name": name, "peak": peak, "said": said})
    print(json.dumps({"seconds": seconds, "files": results}))


if __name__ == "__main__":
    main(sys.argv[1:])
