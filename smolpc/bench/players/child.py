"""The child that answers in process: a line of JSON in, a line of JSON out.

    python -m smolpc.bench.players.child

The first line says what to load. Only what an application would do is timed: the text goes in,
pieces of text come out.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import msgspec

from smolpc.bench.players.protocol import Heard, Question
from smolpc.bench.players.timing import Mark, heard
from smolpc.errors import SmolpcError
from smolpc.runtime.engine import Engine
from smolpc.runtime.interrupts import ctrl_c_noted
from smolpc.schema.base import Value
from smolpc.schema.running import RunSettings

OVERSLEPT = 2e-4  # seconds
MARKER = "smolpc-answered "


class Load(Value, kw_only=True):
    """What to load; the caller has verified both files."""

    artifact: str
    model: str
    settings: RunSettings
    slower: float = 0.0  # share of the time of each piece that is added on purpose


class Failed(Value, kw_only=True, tag=True):
    error: str


class Done(Value, kw_only=True, tag=True):
    """`heard` None: the model is loaded."""

    heard: Heard | None = None


def answer(engine: Engine, question: Question, slower: float) -> Heard:
    """Ask, and note when each piece comes."""
    now, loaded = time.perf_counter, engine.loaded()
    started, marks = now(), list[Mark]()
    tokens, _ = loaded.prompt_tokens(question.request)
    request = question.request
    if not question.warm:
        request = msgspec.structs.replace(request, reuse="off")
    stream = loaded.complete(tokens, request, ignore_end=True)
    for piece in stream:
        if slower and marks:
            wait(slower * (now() - marks[-1].at))
        marks.append(Mark(now(), piece.tokens))
    result = stream.result
    return heard(
        started,
        marks,
        prompt_tokens=result.prompt_tokens,
        answer_tokens=result.generated_tokens,
        reused_tokens=result.reused_tokens,
        drafted_tokens=result.drafted_tokens,
        accepted_tokens=result.accepted_tokens,
        notes=result.notes,
    )


def wait(seconds: float) -> None:
    """Wait for just this time: a sleep may take a tenth of a millisecond longer."""
    end = time.perf_counter() + seconds
    time.sleep(max(0.0, seconds - OVERSLEPT))
    while time.perf_counter() < end:
        pass


def say(words: Done | Failed) -> None:
    sys.stdout.write(f"\n{MARKER}{msgspec.json.encode(words).decode()}\n")
    sys.stdout.flush()


def main() -> None:
    load = msgspec.json.decode(sys.stdin.readline(), type=Load)
    with ctrl_c_noted():  # the parent decides when it is over
        try:
            engine = Engine.open(
                Path(load.model), artifact=Path(load.artifact), settings=load.settings
            )
        except SmolpcError as error:
            say(Failed(error=str(error)))
            return
        with engine:
            say(Done())
            for line in sys.stdin:
                question = msgspec.json.decode(line, type=Question)
                try:
                    say(Done(heard=answer(engine, question, load.slower)))
                except SmolpcError as error:
                    say(Failed(error=str(error)))


if __name__ == "__main__":
    main()
