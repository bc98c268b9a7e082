"""Speculation on against off, in one process, measured in pairs.

    python tests/benchmarks/speculation.py --artifact DIR --model FILE

Two scenarios: a code edit (a file in the prompt, then the file again with one function renamed)
and free text. Each pair is two answers to the same prompt with the same number of tokens, one
after the other: off on, on off, off on ... The median of the ratios within the pairs is the
result; the first pair warms up and is not counted. The answers must be the same.

Small models do not edit on request. So the prompt is raw and ends in the middle of the second,
edited copy, after the renamed function; and as they lose the thread after a screenful, there are
two measurements. In "code edit" the model is led along the edited file: it computes and samples
everything, but the next token is that of the file, as from a model that edits faithfully. "as
answered" is what the model really says.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from smolpc.runtime.engine import Engine
from smolpc.runtime.loaded import Loaded
from smolpc.runtime.sampling import Choose, likeliest
from smolpc.schema.fit import FitSettings
from smolpc.schema.result import RunResult
from smolpc.schema.running import Request, RunSettings, Speculation

# What we promise, on / off; what a weak model makes of the edit is only reported.
TARGETS = {"code edit": 1.8, "code edit, as answered": 0.97, "free text": 0.97}

FILE = '''\
"""A small library: books, readers, and who has borrowed what."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

LOAN_DAYS = 28
MOST_LOANS = 5
FEE_PER_DAY = 0.10


class LibraryError(Exception):
    """Something that the person at the desk must be told."""


def load_catalogue(path: Path) -> list[Book]:
    """The books in the JSON file `path`, sorted by title."""
    with path.open(encoding="utf-8") as stream:
        entries = json.load(stream)
    books = []
    for entry in entries:
        book = Book(
            isbn=entry["isbn"],
            title=entry["title"],
            author=entry["author"],
            copies=int(entry.get("copies", 1)),
        )
        books.append(book)
    return sorted(books, key=lambda book: book.title)


@dataclass
class Book:
    """One title, of which the library may own several copies."""

    isbn: str
    title: str
    author: str
    copies: int = 1

    def matches(self, words: str) -> bool:
        """Whether all words occur in the title or in the name of the author."""
        text = f"{self.title} {self.author}".lower()
        return all(word in text for word in words.lower().split())


@dataclass
class Loan:
    """A copy that somebody took home."""

    isbn: str
    since: date

    @property
    def due(self) -> date:
        """The last day on which it may come back without a fee."""
        return self.since + timedelta(days=LOAN_DAYS)

    def fee(self, today: date) -> float:
        """What must be paid when it comes back today."""
        late = (today - self.due).days
        return max(0, late) * FEE_PER_DAY


@dataclass
class Reader:
    """A person with a card."""

    card: str
    name: str
    loans: list[Loan] = field(default_factory=list)

    def may_borrow(self, today: date) -> bool:
        """Whether one more book may be taken: not too many, and none of them late."""
        if len(self.loans) >= MOST_LOANS:
            return False
        return all(loan.due >= today for loan in self.loans)


class Library:
    """The books, the readers and the loans, kept in one folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.books = {book.isbn: book for book in load_catalogue(folder / "books.json")}
        self.readers: dict[str, Reader] = {}

    def find(self, words: str) -> list[Book]:
        """The books that match all words, in the order of their titles."""
        return [book for book in self.books.values() if book.matches(words)]

    def register(self, card: str, name: str) -> Reader:
        """A new reader. Raises LibraryError when the card is taken."""
        if card in self.readers:
            raise LibraryError(f"the card {card} belongs to {self.readers[card].name}")
        reader = Reader(card=card, name=name)
        self.readers[card] = reader
        return reader

    def reload(self) -> None:
        """Read the books again, after somebody changed the file."""
        self.books = {book.isbn: book for book in load_catalogue(self.folder / "books.json")}
'''
RENAMED = FILE.replace("load_catalogue", "read_books")
GIVEN = RENAMED.index("    author: str")  # the answer begins here

CODE_EDIT = Request(
    prompt=f"# library.py\n{FILE}\n\n# library.py\n{RENAMED[:GIVEN].rstrip()}",
    raw=True,
)
REST = "\n" + RENAMED[GIVEN:]
FREE_TEXT = Request(prompt="Tell me a long story about a fisherman, his daughter and a storm.")


@contextmanager
def led(loaded: Loaded, along: Sequence[int]) -> Iterator[None]:
    """Inside, answers are `along`, whatever the model would have said."""

    @contextmanager
    def chooser(*_: object) -> Iterator[Choose]:
        following = iter(along)
        own = likeliest(loaded.bound.llama, loaded.decoder.context, loaded.vocabulary)

        def choose(position: int) -> int:
            return next(following, own(position))

        yield choose

    loaded.chooser = chooser  # type: ignore[method-assign]
    try:
        yield
    finally:
        del loaded.chooser


def edited(loaded: Loaded) -> list[int]:
    """The rest of the edited file, as tokens."""
    whole, given = (
        loaded.vocabulary.tokens(text) for text in (CODE_EDIT.prompt + REST, CODE_EDIT.prompt)
    )
    return whole[len(given) :]


def answer(loaded: Loaded, request: Request, mode: Speculation, tokens: int) -> RunResult:
    """One answer of exactly `tokens` tokens."""
    loaded.guessing.mode = mode
    prompt, _ = loaded.prompt_tokens(request)
    return loaded.complete(prompt, Request(max_tokens=tokens), ignore_end=True).result


def compare(
    loaded: Loaded, name: str, request: Request, tokens: int, args: argparse.Namespace
) -> bool:
    """Measure one scenario, print it, and say whether it reached its target."""
    ratios, rates, drafted, accepted, same = [], [], 0, 0, 0
    loaded.guessing.pace.__init__()  # type: ignore[misc]  # each scenario learns for itself
    for pair in range(args.pairs + 1):
        order: list[Speculation] = ["off", args.mode]
        done = {mode: answer(loaded, request, mode, tokens) for mode in order[:: (-1) ** pair]}
        off, on = done["off"], done[args.mode]
        if pair == 0:
            print(f"{name}: the answer begins {on.text[:60]!r}")
            continue
        ratios.append(on.decode_rate / off.decode_rate)
        rates.append((off.decode_rate, on.decode_rate))
        drafted, accepted = drafted + on.drafted_tokens, accepted + on.accepted_tokens
        same += on.text == off.text
    ratio, target = statistics.median(ratios), TARGETS[name]
    plain, guessed = (statistics.median(side) for side in zip(*rates, strict=True))
    print(f"  off {plain:.1f} tokens/s, on {guessed:.1f} tokens/s (medians of {args.pairs})")
    print(f"  {accepted} of {drafted} guesses were right; {same} of {args.pairs} answers the same")
    reached = ratio >= target and (args.mode == "ngram" or same == args.pairs)
    print(
        f"  ratio {ratio:.2f} ({min(ratios):.2f} to {max(ratios):.2f}), target {target}:"
        f" {'reached' if reached else 'MISSED'}"
    )
    return reached


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--artifact", type=Path, help="default: the engine of the last setup")
    parser.add_argument("--model", type=Path, help="default: the model of the last setup")
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--tokens", type=int, default=300)
    parser.add_argument("--threads", type=int, default=psutil.cpu_count(logical=False) or 1)
    parser.add_argument("--mode", choices=["auto", "ngram"], default="auto")
    args = parser.parse_args()
    memory = FitSettings(context=4096, gpu_layers=-1)
    settings = RunSettings(memory=memory, threads=args.threads)
    with Engine.open(args.model or "", artifact=args.artifact, settings=settings) as engine:
        loaded = engine.loaded()
        file = edited(loaded)
        with led(loaded, file):
            reached = [compare(loaded, "code edit", CODE_EDIT, len(file), args)]
        for name, request in (("code edit, as answered", CODE_EDIT), ("free text", FREE_TEXT)):
            reached.append(compare(loaded, name, request, args.tokens, args))
        if loaded.decoder.verifier.exact.failed:
            print("this engine rounds batches differently: see smolpc/runtime/speculation/exact.py")
    return 0 if all(reached) else 1


if __name__ == "__main__":
    sys.exit(main())
