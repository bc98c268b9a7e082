"""What runs models: the backends, what each has, and why one cannot be used."""

from __future__ import annotations

from smolpc.errors import SmolpcError
from smolpc.schema.base import Value

LLAMACPP, LLAMA_SERVER, OLLAMA = "llamacpp", "llama-server", "ollama"
ORDER = (LLAMACPP, LLAMA_SERVER, OLLAMA)


def canonical(name: str) -> str:
    """The name of a backend as it is spelled here: "llama.cpp" is "llamacpp"."""
    plain = name.strip().lower().replace("_", "-")
    return {"llama.cpp": LLAMACPP, "llama-cpp": LLAMACPP}.get(plain, plain)


class Problem(Value, kw_only=True):
    """Why a backend cannot be used now, and what to do about it."""

    what: str
    why: str = ""
    next: str = ""  # the command to type

    @classmethod
    def of(cls, error: SmolpcError) -> Problem:
        return cls(what=error.what, why=error.why, next=error.next_step)

    def __str__(self) -> str:
        return f"{self.what} ({self.why})" if self.why else self.what


class BackendModel(Value, kw_only=True):
    """A model as one backend knows it."""

    name: str
    size: int = 0  # bytes; 0: not known
    sha256: str = ""  # of the GGUF file; "": not known
    quantization: str = ""


class BackendState(Value, kw_only=True):
    """One row of `backends.list`."""

    name: str
    rank: int  # place in the order in which they are tried, from 1; 0: not tried
    version: str = ""
    address: str = ""  # URL of a server
    models: tuple[BackendModel, ...] = ()
    problem: Problem | None = None


class BackendsReport(Value, kw_only=True):
    format: int = 1
    backends: tuple[BackendState, ...]
