"""A backend in this process that says what a test tells it to."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass, field

from smolpc.backends.answer import PieceStream
from smolpc.backends.protocol import NotHere
from smolpc.errors import SmolpcError
from smolpc.schema.backends import BackendModel, Problem
from smolpc.schema.result import RunResult
from smolpc.schema.running import Piece, Request


def last_line(request: Request) -> str:
    return request.messages[-1]["content"] if request.messages else request.prompt


def echoed(request: Request) -> list[str]:
    return ["You said: ", last_line(request)]


@dataclass
class SimBackend:
    """`fails` is raised before the first piece, `breaks` after it; `hands_on` is called after
    each piece. `asked` keeps every request."""

    name: str = "llamacpp"
    reply: Callable[[Request], list[str]] = echoed
    fails: Exception | None = None
    breaks: SmolpcError | None = None
    digests: dict[str, str] = field(default_factory=lambda: {"smollm2": "a" * 64})
    hands_on: Callable[[], None] = lambda: None
    rate: float = 100.0
    asked: list[tuple[str, Request]] = field(default_factory=list)
    version: str = "1"
    address: str = ""
    closed: bool = False

    def available(self) -> Problem | None:
        return Problem.of(self.fails) if isinstance(self.fails, SmolpcError) else None

    def models(self) -> tuple[BackendModel, ...]:
        return tuple(BackendModel(name=name, sha256=one) for name, one in self.digests.items())

    def resolve(self, model: str) -> BackendModel:
        name = model or next(iter(self.digests))
        if name not in self.digests:
            raise NotHere(f"no model {name}", next_step="smolpc models.list")
        return BackendModel(name=name, sha256=self.digests[name])

    def generate(self, model: str, request: Request) -> PieceStream:
        self.asked.append((model, request))
        if self.fails:
            raise self.fails
        name = self.resolve(model).name
        stopped: list[bool] = []
        pieces = self._pieces(name, request, stopped)
        return PieceStream(pieces, lambda: stopped.append(True))

    def _pieces(
        self, model: str, request: Request, stopped: list[bool]
    ) -> Generator[Piece, None, RunResult]:
        said = ""
        try:
            for text in self.reply(request):
                if stopped:
                    break
                said += text
                yield Piece(text=text, tokens=1)
                self.hands_on()
                if self.breaks:
                    raise self.breaks
        except KeyboardInterrupt:
            stopped.append(True)
        return RunResult(
            text=said,
            stop="interrupted" if stopped else "end",
            prompt_tokens=len(request.messages),
            generated_tokens=2,
            time_to_first_token=0.5,
            prompt_rate=100.0,
            decode_rate=self.rate,
            load_seconds=0.0,
            threads=1,
            context=4096,
            gpu_layers=0,
            backend="cpu",
            devices=(),
            model=model,
            model_sha256=self.digests[model],
            artifact="",
            seed=1,
            temperature=request.sampling.temperature,
            provider=self.name,
        )

    def close(self) -> None:
        self.closed = True
