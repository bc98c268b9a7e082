"""The same question to two backends, one after the other, and what both measured."""

from __future__ import annotations

import secrets

import msgspec

from smolpc.backends.protocol import Backend
from smolpc.chat.conversation import Chat
from smolpc.chat.shown import comparison, different_files
from smolpc.errors import PrerequisiteError, UsageError
from smolpc.schema.result import RunResult

LOADED = 1.0  # seconds of loading that spoil a comparison


def pair(chat: Chat, names: tuple[str, str]) -> tuple[Backend, Backend]:
    """The two backends. Raises UsageError when one is not there."""
    missing = [name for name in names if name not in chat.backends]
    if missing:
        raise UsageError(
            f"{missing[0]} is not among the backends that may answer",
            why=f"these are: {', '.join(chat.backends)}",
            next_step="smolpc backends.list",
        )
    return chat.backends[names[0]], chat.backends[names[1]]


def ask(chat: Chat, question: str, names: tuple[str, str], round_: int) -> None:
    """Both answers on the screen, then their figures. The conversation goes on with the first
    backend's answer, and both get the same one. In odd rounds the second one begins, so that
    neither has always the warmer machine.

    Raises SmolpcError of the backend that fails, KeyboardInterrupt for Ctrl-C between the two.
    """
    both = pair(chat, names)
    for backend in both if round_ == 0 else ():
        if (problem := backend.available()) is not None:  # before the other one works in vain
            raise PrerequisiteError(problem.what, why=problem.why, next_step=problem.next)
    request = chat.request(question)
    if request.sampling.seed is None:
        sampling = msgspec.structs.replace(request.sampling, seed=secrets.randbits(31))
        request = msgspec.structs.replace(request, sampling=sampling)
    results: dict[str, RunResult] = {}
    for backend in both[:: -1 if round_ % 2 else 1]:
        chat.screen.print(f"--- {backend.name} ---")
        results[backend.name] = chat.answer_of(backend, request)
    left, right = (results[name] for name in names)
    chat.remember(question, left)
    show(chat, left, right)


def show(chat: Chat, left: RunResult, right: RunResult) -> None:
    rows = [("", left.provider, right.provider), *comparison(left, right)]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    chat.screen.print()
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        chat.screen.print("  ".join(cells).rstrip())
    notes = [different_files(left, right)]
    if right.load_seconds > LOADED and len(chat.answers) == 1:
        notes.append("a model was loaded for the first answer: compare the next ones")
    if "interrupted" in (left.stop, right.stop):
        notes.append("an answer was stopped: its figures are of a part")
    notes += [f"{one.provider}: {note}" for one in (left, right) for note in one.notes]
    for note in filter(None, notes):
        chat.screen.aside(f"note: {note}")
