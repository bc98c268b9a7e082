"""Fuzz the GGUF reader with coverage guidance, to grow and to shrink tests/gguf/corpus.

    pip install atheris                                 (Linux, CPython 3.11 to 3.13)
    nice python scripts/fuzz_gguf.py grow FOLDER -max_total_time=300
    python scripts/fuzz_gguf.py shrink FOLDER

`grow` starts from small right files in FOLDER (made if it is empty) and keeps every input that
reaches new code; further arguments go to libFuzzer. It stops at the first input for which the
reader does anything but return a header or raise TrustError, takes more than a second, or asks
for more than 64 MiB at once, and writes that input into the current folder as crash-*.

`shrink` copies the smallest set of files from FOLDER that covers the same lines of smolpc.gguf
and gives the same messages into tests/gguf/corpus; it needs no atheris.

atheris is not a dependency of the project: the corpus and the test that reads it are what stays.
"""

from __future__ import annotations

import hashlib
import re
import sys
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

CORPUS = ROOT / "tests" / "gguf" / "corpus"
LARGEST = 4096  # bytes; every branch of the reader can be reached with fewer


def attempt(data: bytes) -> str:
    """Read `data`, with a size and without one. Returns the messages of the refusals."""
    from smolpc.errors import TrustError
    from smolpc.gguf.reader import read_header
    from tests.gguf.build import Memory

    said = []
    for tells_size in (True, False):
        try:
            header = read_header(Memory(data, tells_size=tells_size))
        except TrustError as error:
            said.append(re.sub(r"\d+", "#", error.why))
        else:
            said.append(f"header {header.big_endian}")
    return " / ".join(said)


def seeds() -> list[bytes]:
    """Small right files that use every part of the format."""
    from tests.gguf import build as g
    from tests.gguf.test_hostile import CASES
    from tests.gguf.test_reader import EVERY_KIND

    rows = g.placed([("a", (32, 2), g.Q4_0), ("b", (), g.F32), ("c", (5, 4, 3, 2), g.F16)])
    right = [
        g.build(EVERY_KIND, rows, version=version, order=order)
        for version in (2, 3)
        for order in "<>"
    ]
    right.append(g.build([("general.alignment", 64)], g.placed([("a", (3,), g.F32)], 64)))
    right.append(
        g.build([("tokens", ["t"] * 70), ("scores", g.Typed(g.UINT8, [1] * 1030, array=True))])
    )
    return right + [data for data, _ in CASES.values() if len(data) <= LARGEST]


def grow(folder: Path, arguments: list[str]) -> None:
    import atheris

    with atheris.instrument_imports(include=["smolpc.gguf"]):
        import smolpc.gguf.reader  # noqa: F401

    folder.mkdir(parents=True, exist_ok=True)
    if not any(folder.iterdir()):
        for data in seeds():
            (folder / hashlib.sha256(data).hexdigest()[:16]).write_bytes(data)
    limits = ["-timeout=1", "-malloc_limit_mb=64", f"-max_len={LARGEST}"]
    atheris.Setup(
        [sys.argv[0], *limits, *arguments, str(folder)], lambda data: attempt(data) and None
    )
    atheris.Fuzz()


def lines_of(data: bytes) -> frozenset[object]:
    """What `data` reaches: lines of smolpc.gguf, and the refusals without their numbers."""
    reached: set[object] = set()

    def trace(frame: FrameType, _event: str, _argument: object) -> Any:
        if "smolpc/gguf" not in Path(frame.f_code.co_filename).as_posix():
            return None
        reached.add((Path(frame.f_code.co_filename).name, frame.f_lineno))
        return trace

    sys.settrace(trace)
    try:
        said = attempt(data)
    finally:
        sys.settrace(None)
    reached.add(re.sub(r"[^ -~]", "", said)[:60])
    return frozenset(reached)


def shrink(folder: Path) -> None:
    """Greedy: small files first, each that adds something."""
    CORPUS.mkdir(parents=True, exist_ok=True)
    covered: set[object] = set()
    total = 0
    known = list(CORPUS.glob("*.gguf"))
    found = {path.read_bytes() for path in [*folder.iterdir(), *known]} | set(seeds())
    for old in known:
        old.unlink()
    for data in sorted(found, key=lambda data: (len(data), data)):
        reached = lines_of(data)
        if reached - covered:
            covered |= reached
            total += len(data)
            (CORPUS / f"{hashlib.sha256(data).hexdigest()[:16]}.gguf").write_bytes(data)
    print(f"{len(list(CORPUS.glob('*.gguf')))} files, {total} bytes, from {len(found)}")  # noqa: T201


if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[1] not in ("grow", "shrink"):
        sys.exit(__doc__)
    if sys.argv[1] == "grow":
        grow(Path(sys.argv[2]), sys.argv[3:])
    else:
        shrink(Path(sys.argv[2]))
