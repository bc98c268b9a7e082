"""How long the engine takes with given settings, asked of a child process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec

from smolpc import proc
from smolpc.errors import SmolpcError
from smolpc.runtime.load_test import memory_needed
from smolpc.runtime.probe import CRASHES, child
from smolpc.schema.base import Value
from smolpc.schema.running import RunSettings

MARKER = "smolpc-measured "
SLOWEST = 600.0  # seconds for one measurement, loading the model included


class Work(Value, kw_only=True):
    """One question: read `prompt` tokens, then compute `answer` tokens, one by one. `real`:
    answer a question instead, with the guesses that the settings allow."""

    settings: RunSettings
    prompt: int
    answer: int
    real: bool = False


class Timing(Value, tag=True, kw_only=True):
    """Seconds."""

    prompt: float
    answer: float


class Failure(Value, tag=True, kw_only=True):
    error: str


class NotMeasured(Exception):
    """The engine refused these settings, or died of them."""


def _free_memory() -> int:
    import psutil

    return int(psutil.virtual_memory().available)


class Measurer:
    """Measures one model with one engine. A child that died is started again. `draft` is the
    model that guesses where settings say so.

    The caller has verified the artifact's files and the model. Each CPU library has a child of
    its own, which keeps the model in memory; where the `free` bytes do not suffice for one more,
    those end that were not asked for longest.
    """

    def __init__(
        self,
        artifact_dir: Path,
        lib_dir: str,
        model: Path,
        draft: Path | None = None,
        *,
        free: Callable[[], int] = _free_memory,
    ) -> None:
        self._arguments = (str(artifact_dir), lib_dir, str(model), str(draft or ""))
        self._model, self._free = model, free
        self._children: dict[str, proc.Dialogue] = {}  # the one that was asked last comes last

    def measure(
        self, settings: RunSettings, *, prompt: int, answer: int, real: bool = False
    ) -> Timing:
        """Raises NotMeasured."""
        variant = settings.cpu_variant
        work = Work(settings=settings, prompt=prompt, answer=answer, real=real)
        try:
            text = self._child(variant).ask(msgspec.json.encode(work).decode(), SLOWEST)
        except proc.TimedOut:
            del self._children[variant]
            raise NotMeasured(f"it took longer than {SLOWEST:g} s") from None
        except proc.Ended as ended:
            del self._children[variant]
            code = ended.code or 0
            crash = CRASHES.get(code) or CRASHES.get(code & 0xFFFFFFFF)
            raise NotMeasured(crash or f"the engine ended with code {code}") from None
        except SmolpcError as error:  # it could not be started
            raise NotMeasured(str(error)) from error
        found: Timing | Failure = msgspec.json.decode(text, type=Timing | Failure)
        if isinstance(found, Failure):
            raise NotMeasured(found.error)
        return found

    def _child(self, variant: str) -> proc.Dialogue:
        found = self._children.pop(variant, None)
        if found is None:
            self._make_room()
            argv, env = child("measure_child", *self._arguments, variant)
            found = proc.Dialogue(argv, env=env, marker=MARKER)
        self._children[variant] = found
        return found

    def _make_room(self) -> None:
        needed = memory_needed(self._model.stat().st_size) if self._children else 0
        while self._children and self._free() < needed:
            self._children.pop(next(iter(self._children))).close()

    def close(self) -> None:
        """End the children."""
        while self._children:
            self._children.popitem()[1].close()

    def __enter__(self) -> Measurer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
