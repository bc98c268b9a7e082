"""What Ollama says when it cannot answer, as errors with a next step."""

from __future__ import annotations

import shutil

from smolpc.backends.ollama.mapping import too_long
from smolpc.backends.protocol import NotHere
from smolpc.errors import BusyError, NetworkError, PrerequisiteError, SmolpcError
from smolpc.net.service import Answered, Unreachable

INSTALL = "install it from https://ollama.com/download"
TOO_LONG = ("exceeds the context", "exceeds the available context", "context length exceeded")


def installed() -> bool:
    """Whether the program is on this machine."""
    return shutil.which("ollama") is not None


def not_running(url: str, error: NetworkError) -> PrerequisiteError:
    start = "ollama serve   (in another window; the desktop app does the same)"
    return PrerequisiteError(
        f"Ollama does not answer at {url}",
        why=error.why or "nobody listens there",
        next_step=start if installed() else f"{INSTALL}, or name its address with OLLAMA_HOST",
    )


def explained(error: NetworkError, url: str, model: str, num_ctx: int = 0) -> SmolpcError:
    """An error of the connection or the server, for the user of `model`."""
    if isinstance(error, Unreachable):
        return not_running(url, error)
    if not isinstance(error, Answered):
        return NetworkError(
            f"the answer of Ollama at {url} broke off",
            why=str(error),
            next_step="ask again; its log says more (ollama serve prints it)",
        )
    return said(error.message, model, num_ctx, error.status)


def said(message: str, model: str, num_ctx: int = 0, status: int = 200) -> SmolpcError:
    """An error in Ollama's own words; `status` 200: in the middle of an answer."""
    lower = message.lower()
    if status == 404 or ("model" in lower and "not found" in lower):
        return missing(model, message)
    if any(text in lower for text in TOO_LONG):
        return too_long(message, num_ctx)
    if "does not support" in lower:
        return NotHere(
            f"{model} cannot do that in Ollama", why=message, next_step="smolpc backends.list"
        )
    if status in (429, 503):
        return BusyError("Ollama is busy", why=message, next_step="ask again in a moment")
    if status in (301, 302, 303, 307, 308):
        return PrerequisiteError(
            "Ollama's address is not its own", why=message, next_step="set OLLAMA_HOST"
        )
    memory = "memory" in lower
    return PrerequisiteError(
        "Ollama stopped in the middle of the answer" if status == 200 else "Ollama cannot answer",
        why=message or f"HTTP {status}",
        next_step="close other programs, or take a smaller model or context"
        if memory
        else "ask again; its log says more (ollama serve prints it)",
    )


def missing(model: str, why: str) -> NotHere:
    return NotHere(
        f"Ollama has no model {model}", why=why, next_step=f"smolpc backends.pull-ollama {model}"
    )


def pull_failed(model: str, why: str) -> SmolpcError:
    """What `/api/pull` reports in its stream."""
    if any(text in why.lower() for text in ("does not exist", "not found", "invalid model")):
        return NotHere(
            f"Ollama's registry has no model {model}",
            why=why,
            next_step="look for its name on https://ollama.com/search",
        )
    return NetworkError(
        f"Ollama could not pull {model}",
        why=why,
        next_step=f"smolpc backends.pull-ollama {model}   (it continues where it stopped)",
    )
