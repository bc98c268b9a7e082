"""The engine as a library, in a child process."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import msgspec

from smolpc import proc
from smolpc.bench.players.child import MARKER, Done, Failed, Load
from smolpc.bench.players.protocol import Heard, Question
from smolpc.errors import PrerequisiteError
from smolpc.runtime.probe import python_path
from smolpc.schema.bench import Variant
from smolpc.schema.running import RunSettings

SLOWEST = 1800.0  # seconds for one answer, and for loading a model from a slow disk


class InProcess:
    """A verified engine with a verified model; see `child` for what is timed."""

    def __init__(
        self, variant: Variant, artifact: Path, model: Path, settings: RunSettings
    ) -> None:
        self.variant = variant
        self._load = Load(
            artifact=str(artifact), model=str(model), settings=settings, slower=variant.slower
        )
        self._child: proc.Dialogue | None = None

    @property
    def pids(self) -> Sequence[int]:
        return (self._child.pid,) if self._child is not None else ()

    def open(self) -> None:
        if self._child is None:
            argv = [sys.executable, "-P", "-m", "smolpc.bench.players.child"]
            self._child = proc.Dialogue(argv, env=python_path(), marker=MARKER)
            self._ask(msgspec.json.encode(self._load))

    def answer(self, question: Question) -> Heard:
        found = self._ask(msgspec.json.encode(question))
        assert found is not None  # noqa: S101 - only loading has nothing to tell
        return found

    def _ask(self, line: bytes) -> Heard | None:
        if self._child is None:
            raise RuntimeError("the player is not open")
        try:
            text = self._child.ask(line.decode(), SLOWEST)
        except (proc.Ended, proc.TimedOut) as error:
            self.close()
            raise PrerequisiteError(
                f"{self.variant.name} ended in the middle of a measurement",
                why=str(error),
                next_step="smolpc doctor",
            ) from error
        found: Done | Failed = msgspec.json.decode(text, type=Done | Failed)
        if isinstance(found, Failed):
            raise PrerequisiteError(
                f"{self.variant.name} cannot answer", why=found.error, next_step="smolpc doctor"
            )
        return found.heard

    def close(self) -> None:
        if self._child is not None:
            self._child.close()
            self._child = None
