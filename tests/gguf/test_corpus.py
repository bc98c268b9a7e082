"""What the fuzzer found (scripts/fuzz_gguf.py): inputs that reach every corner of the reader."""

from __future__ import annotations

from pathlib import Path

import pytest

from smolpc.errors import TrustError
from smolpc.gguf import read_header
from tests.gguf.build import Memory

CORPUS = sorted((Path(__file__).parent / "corpus").glob("*.gguf"))


def test_the_corpus_is_there_and_small():
    assert len(CORPUS) > 50
    assert sum(path.stat().st_size for path in CORPUS) < 300_000


@pytest.mark.parametrize("tells_size", [True, False], ids=["size known", "size unknown"])
@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_every_file_is_read_or_refused(path: Path, tells_size: bool):
    try:
        header = read_header(Memory(path.read_bytes(), tells_size=tells_size))
    except TrustError as error:
        assert error.why
        assert str(error).isprintable()
    else:
        assert header.version in (2, 3)


def test_the_corpus_holds_both_right_and_wrong_files():
    refused = 0
    for path in CORPUS:
        try:
            read_header(Memory(path.read_bytes()))
        except TrustError:
            refused += 1
    assert 0 < refused < len(CORPUS)
