"""The engine's HTTP server as a backend: one that runs, or one that is started for us."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass

import msgspec

from smolpc.backends import llama_api
from smolpc.backends.answer import Heard, PieceStream, Usage, hear, rate
from smolpc.backends.protocol import LLAMA_SERVER, NotHere
from smolpc.catalog.families import key_of
from smolpc.errors import NetworkError, PrerequisiteError
from smolpc.net import NetSettings
from smolpc.net.service import Lines, Service
from smolpc.schema.backends import BackendModel, Problem
from smolpc.schema.result import RunResult
from smolpc.schema.running import Piece, Request

DIGEST = re.compile(r"(?:^|[/\\])(?:sha256-)?([0-9a-f]{64})(?:[/\\]|$)")


@dataclass(frozen=True)
class Place:
    """Where a server answers. `close` ends one that was started for us; `notes` are about the
    way it was started; `lives` says whether it is still there, where we can know."""

    url: str
    api_key: str = ""
    close: Callable[[], None] = lambda: None
    notes: tuple[str, ...] = ()
    lives: Callable[[], bool] = lambda: True


class _Meta(msgspec.Struct):
    n_ctx: int = 0
    size: int = 0


class _Listed(msgspec.Struct):
    id: str
    aliases: list[str] = []
    meta: _Meta | None = None


class _List(msgspec.Struct):
    data: list[_Listed]


class _Props(msgspec.Struct):
    build_info: str = ""
    model_path: str = ""


class LlamaServerBackend:
    """`open_place` gives the server for a model ("": any); it raises SmolpcError where none
    can be had. `problem` says, without starting anything, why that would be so.

    `other_names` gives the names that a model may have besides the one that was typed.
    """

    name = LLAMA_SERVER

    def __init__(
        self,
        open_place: Callable[[str], Place],
        *,
        problem: Callable[[], Problem | None] = lambda: None,
        address: str = "",
        other_names: Callable[[str], Sequence[str]] = lambda _: (),
        net: NetSettings | None = None,
    ) -> None:
        self.address = address
        self._open, self._problem = open_place, problem
        self._other_names, self._net = other_names, net
        self._place: Place | None = None
        self._service: Service | None = None
        self._model = ""

    @classmethod
    def at(cls, url: str, api_key: str = "", **options: object) -> LlamaServerBackend:
        """The backend of a server that runs at `url`."""
        place = Place(llama_api.base_of(url), api_key)

        def problem() -> Problem | None:
            try:
                Service(place.url, token=api_key).get("/health")
            except NetworkError as error:
                return Problem.of(llama_api.explained(error, place.url))
            return None

        return cls(lambda _: place, problem=problem, address=place.url, **options)  # type: ignore[arg-type]

    @property
    def version(self) -> str:
        """Of the server; "" when none is running: none is started for this."""
        if self.available() is not None or not (self._service or self.address):
            return ""
        return self._props(self._connected("")).build_info

    def available(self) -> Problem | None:
        return self._problem()

    def models(self) -> tuple[BackendModel, ...]:
        if not (self._service or self.address):
            return ()
        return tuple(
            BackendModel(name=one.id, size=one.meta.size if one.meta else 0)
            for one in self._list(self._connected(""))
        )

    def resolve(self, model: str) -> BackendModel:
        """Starts a server for it where that is what it takes."""
        service = self._connected(model)
        return BackendModel(name=self._listed(service, model).id, sha256=self._digest(service))

    def generate(self, model: str, request: Request) -> PieceStream:
        service = self._connected(model)
        listed = self._listed(service, model)
        seed = request.sampling.seed
        seed = secrets.randbits(31) if seed is None else seed
        asked = self.with_brought(model, request)
        path, body = llama_api.body(listed.id, asked, seed)
        heard = Heard()
        try:
            lines = service.lines(path, body)
        except NetworkError as error:
            raise llama_api.explained(error, service.url) from error
        digest, notes = self._digest(service), self._place.notes if self._place else ()

        def finish(used: Usage) -> RunResult:
            return _result(listed, request, used, heard, seed, digest, notes)

        read = llama_api.Reader(chats=not request.raw)
        return PieceStream(_pieces(lines, read, heard, finish, service.url), lines.cancel)

    def with_brought(self, model: str, request: Request) -> Request:  # noqa: ARG002
        """The request with what the model brought along, where this side knows of it."""
        return request

    def close(self) -> None:
        """End a server that was started for us."""
        if self._place is not None:
            self._place.close()
        self._service = self._place = None
        self._model = ""

    def _connected(self, model: str) -> Service:
        """The server for `model`; another one than before may have to be started, and one that
        died is started again."""
        lives = self._place is not None and self._place.lives()
        if self._service and lives and (self.address or model in ("", self._model)):
            return self._service
        model = model or self._model
        self.close()
        self._place = self._open(model)
        self._model = model
        self._service = Service(self._place.url, token=self._place.api_key, settings=self._net)
        return self._service

    def _list(self, service: Service) -> list[_Listed]:
        try:
            return msgspec.convert(service.get("/v1/models"), _List).data
        except NetworkError as error:
            raise llama_api.explained(error, service.url) from error
        except msgspec.ValidationError as error:
            raise PrerequisiteError(
                f"what answers at {service.url} is not llama-server",
                why=str(error),
                next_step="smolpc serve",
            ) from error

    def _digest(self, service: Service) -> str:
        """From the path of the file, which holds it in a store of smolpc or of Ollama."""
        found = DIGEST.search(self._props(service).model_path)
        return found.group(1) if found else ""

    def _props(self, service: Service) -> _Props:
        try:
            return msgspec.convert(service.get("/props"), _Props)
        except (NetworkError, msgspec.ValidationError):
            return _Props()

    def _listed(self, service: Service, model: str) -> _Listed:
        """The entry of the server's list that `model` means. Raises NotHere."""
        listed = self._list(service)
        if not listed:
            raise NotHere("llama-server has no models", next_step="smolpc serve --model NAME")
        if not model:
            return listed[0]
        for wanted in map(key_of, (model, *self._other_names(model))):
            for one in listed:
                if wanted in map(key_of, (one.id, *one.aliases)):
                    return one
        raise NotHere(
            f"llama-server has no model {model}",
            why=f"it has: {', '.join(one.id for one in listed)}",
            next_step=f"smolpc serve --model {model}",
        )


def _pieces(
    lines: Lines,
    read: llama_api.Reader,
    heard: Heard,
    finish: Callable[[Usage], RunResult],
    url: str,
) -> Generator[Piece, None, RunResult]:
    try:
        return (yield from hear(lines, read, heard, finish))
    except NetworkError as error:
        raise llama_api.explained(error, url) from error


def _result(
    listed: _Listed,
    request: Request,
    used: Usage,
    heard: Heard,
    seed: int,
    digest: str,
    notes: tuple[str, ...],
) -> RunResult:
    context = listed.meta.n_ctx if listed.meta else 0
    full = context and used.prompt_tokens + used.generated_tokens >= context
    note = f"the answer stopped because the context of {context} tokens is full"
    return RunResult(
        text=heard.text,
        stop=used.stop,
        prompt_tokens=used.prompt_tokens,
        generated_tokens=used.generated_tokens,
        reused_tokens=max(0, used.prompt_tokens - used.prompt_computed),
        drafted_tokens=used.drafted_tokens,
        accepted_tokens=used.accepted_tokens,
        time_to_first_token=heard.time_to_first_token,
        prompt_rate=rate(used.prompt_computed, used.prompt_seconds),
        decode_rate=rate(used.generated_tokens, used.decode_seconds),
        load_seconds=used.load_seconds,
        threads=0,
        context=context,
        gpu_layers=0,
        backend="",
        devices=(),
        model=listed.id,
        model_sha256=digest,
        artifact="",
        seed=seed,
        temperature=request.sampling.temperature,
        notes=(*notes, *((note,) if full and used.stop == "length" else ()), *heard.notes),
        provider=LLAMA_SERVER,
    )
