"""Ollama over its HTTP API."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Generator, Sequence
from functools import cached_property
from typing import Any

import msgspec

from smolpc.backends.answer import Heard, PieceStream, Usage, hear, rate
from smolpc.backends.ollama import errors, mapping
from smolpc.backends.ollama.address import base_url
from smolpc.backends.ollama.mapping import OllamaSaid, Shown
from smolpc.backends.ollama.pulling import follow
from smolpc.backends.protocol import OLLAMA, NotHere
from smolpc.console import Reporter
from smolpc.errors import NetworkError, SmolpcError, UsageError
from smolpc.net import NetSettings
from smolpc.net.service import Lines, Service
from smolpc.schema.backends import BackendModel, Problem
from smolpc.schema.result import RunResult
from smolpc.schema.running import Piece, Request

CONTEXT = 4096  # tokens, where nothing was asked for
STARTING = 3.0  # seconds that an installed Ollama may need to get up


class _Details(msgspec.Struct):
    quantization_level: str = ""


class _Tag(msgspec.Struct):
    name: str
    size: int = 0
    details: _Details | None = None


class _Tags(msgspec.Struct):
    models: list[_Tag] | None = None


class _Running(msgspec.Struct):
    name: str
    size: int = 0
    size_vram: int = 0


class _Processes(msgspec.Struct):
    models: list[_Running] | None = None


class Ollama:
    """The server that `host` (None: the variable OLLAMA_HOST) names. A host that is no address is
    an error when it is asked for something, and not before.

    `context` is in tokens (0: 4096, or what the model was trained for if that is less).
    `other_names` gives the names that a model may have besides the one that was typed, and for
    "" those of the default. `keep_alive` is how long Ollama keeps the model
    in memory, in its own spelling ("" leaves that to Ollama).
    """

    name = OLLAMA

    def __init__(
        self,
        host: str | None = None,
        *,
        context: int = 0,
        other_names: Callable[[str], Sequence[str]] = lambda _: (),
        keep_alive: str = "",
        patience: float | None = None,
        net: NetSettings | None = None,
    ) -> None:
        self._host = os.environ.get("OLLAMA_HOST", "") if host is None else host
        self._wanted_context = context
        self._other_names, self._keep_alive = other_names, keep_alive
        if patience is None:
            patience = STARTING if errors.installed() else 0.0
        self._patience, self._net = patience, net
        self._shown: dict[str, Shown] = {}

    @cached_property
    def _service(self) -> Service:
        """Raises NotHere when there is no address to ask."""
        try:
            url = base_url(self._host)
        except UsageError as error:
            raise NotHere(error.what, why=error.why, next_step=error.next_step) from error
        return Service(url, patience=self._patience, settings=self._net)

    @property
    def address(self) -> str:
        try:
            return self._service.url
        except NotHere:
            return ""

    @property
    def version(self) -> str:
        try:
            return str(self._service.get("/api/version").get("version", ""))
        except (NetworkError, NotHere, AttributeError):
            return ""

    def available(self) -> Problem | None:
        try:
            self._service.get("/api/version")
        except NotHere as error:
            return Problem.of(error)
        except NetworkError as error:
            return Problem.of(errors.explained(error, self.address, ""))
        return None

    def models(self) -> tuple[BackendModel, ...]:
        """Newest first, as Ollama lists them."""
        found = self._asked("/api/tags", _Tags).models or []
        return tuple(
            BackendModel(
                name=tag.name,
                size=tag.size,
                quantization=tag.details.quantization_level if tag.details else "",
            )
            for tag in found
        )

    def resolve(self, model: str) -> BackendModel:
        name, _ = self._resolve(model)
        return BackendModel(name=name, sha256=self._show(name).sha256)

    def generate(self, model: str, request: Request) -> PieceStream:
        name, note = self._resolve(model)
        shown = self._show(name)
        context, cut = self._context(shown)
        mapping.require_room(request, context)
        seed = request.sampling.seed
        seed = secrets.randbits(31) if seed is None else seed
        chosen = mapping.options(request, num_ctx=context, seed=seed, stops=shown.stops)
        path, body = mapping.body(name, request, chosen, self._keep_alive)
        heard = Heard()
        try:
            lines = self._service.lines(path, body)
        except NetworkError as error:
            raise errors.explained(error, self.address, name, context) from error
        notes = tuple(filter(None, (note, cut)))

        def finish(used: Usage) -> RunResult:
            return self._result(name, request, used, heard, context, seed, notes)

        return PieceStream(self._pieces(lines, heard, finish, name, context), lines.cancel)

    def _pieces(
        self,
        lines: Lines,
        heard: Heard,
        finish: Callable[[Usage], RunResult],
        model: str,
        context: int,
    ) -> Generator[Piece, None, RunResult]:
        try:
            return (yield from hear(lines, mapping.read, heard, finish))
        except OllamaSaid as error:
            raise errors.said(str(error), model, context) from error
        except NetworkError as error:
            raise errors.explained(error, self.address, model, context) from error

    def pull(self, model: str, reporter: Reporter) -> None:
        """Have Ollama download `model`. Raises NotHere when its registry has none, else
        NetworkError or PrerequisiteError."""
        try:
            with self._service.lines("/api/pull", {"model": model, "stream": True}) as lines:
                follow(lines, model, reporter)
        except NetworkError as error:
            raise errors.explained(error, self.address, model) from error

    def close(self) -> None:
        """Nothing is held."""

    def _asked(self, path: str, kind: Any, body: Any = None, model: str = "") -> Any:
        try:
            found = self._service.get(path) if body is None else self._service.post(path, body)
        except NetworkError as error:
            raise errors.explained(error, self.address, model) from error
        try:
            return msgspec.convert(found, kind)
        except msgspec.ValidationError as error:
            raise NetworkError(
                f"what answers at {self.address} is not Ollama",
                why=f"{path}: {error}",
                next_step="set OLLAMA_HOST to its address",
            ) from error

    def _show(self, name: str) -> Shown:
        if name not in self._shown:
            self._shown[name] = self._asked("/api/show", Shown, {"model": name}, name)
        return self._shown[name]

    def _resolve(self, model: str) -> tuple[str, str]:
        """Ollama's name of `model`, and a note when nobody chose it. Raises NotHere."""
        here = [one.name for one in self.models()]
        found = mapping.find([model], here) if model else ""
        found = found or mapping.find(self._other_names(model), here)
        if found:
            return found, ""
        listed = f"it has: {', '.join(here)}" if here else "it has no models"
        if model:
            raise errors.missing(model, listed)
        if not here:
            raise NotHere(
                "Ollama has no models",
                next_step="smolpc backends.pull-ollama NAME (such as llama3.2:1b)",
            )
        return here[0], f"no model was asked for: Ollama's newest, {here[0]}, answers"

    def _context(self, shown: Shown) -> tuple[int, str]:
        """Tokens of context to ask for, and a note when that is less than was wanted."""
        wanted = self._wanted_context or CONTEXT
        trained = shown.trained_context or wanted
        if self._wanted_context > trained:
            note = f"the model was trained for {trained} tokens of context, so it gets no more"
            return trained, note
        return min(wanted, trained), ""

    def _result(
        self,
        name: str,
        request: Request,
        used: Usage,
        heard: Heard,
        context: int,
        seed: int,
        notes: tuple[str, ...],
    ) -> RunResult:
        device, placed = self._placement(name)
        cut = mapping.cut_note(request, context, used) if used.stop != "interrupted" else ""
        return RunResult(
            text=heard.text,
            stop=used.stop,
            prompt_tokens=used.prompt_tokens,
            generated_tokens=used.generated_tokens,
            time_to_first_token=heard.time_to_first_token,
            prompt_rate=rate(used.prompt_computed, used.prompt_seconds),
            decode_rate=rate(used.generated_tokens, used.decode_seconds),
            load_seconds=used.load_seconds,
            threads=0,
            context=context,
            gpu_layers=0,
            backend=device,
            devices=(),
            model=name,
            model_sha256=self._show(name).sha256,
            artifact="",
            seed=seed,
            temperature=request.sampling.temperature,
            notes=(*notes, *filter(None, (cut, placed)), *heard.notes),
            provider=self.name,
        )

    def _placement(self, name: str) -> tuple[str, str]:
        """Where Ollama holds the model ("cpu", "gpu", "" when it does not say), and a note when
        only a part of it is on the GPU."""
        try:
            running = self._asked("/api/ps", _Processes).models or []
        except SmolpcError:
            return "", ""  # an older Ollama does not know it
        one = next((one for one in running if one.name == name), None)
        if one is None or one.size <= 0:
            return "", ""
        if one.size_vram <= 0:
            return "cpu", ""
        share = round(100 * one.size_vram / one.size)
        return "gpu", f"Ollama holds {share} % of the model on the GPU" if share < 100 else ""
