"""A download that Ollama does for us, and how far it is."""

from __future__ import annotations

from typing import Any

import msgspec

from smolpc.backends.ollama import errors
from smolpc.console import Reporter
from smolpc.errors import NetworkError
from smolpc.net.service import Lines


def follow(lines: Lines, model: str, reporter: Reporter) -> None:
    """Report the progress of a pull until it says success. Raises NotHere and NetworkError."""
    with reporter.task(f"Ollama pulls {model}") as task:
        sizes: dict[str, tuple[int, int]] = {}  # layer -> done, total
        for line in lines:
            reporter.check()
            found = msgspec.json.decode(line, type=dict[str, Any]) if line.strip() else {}
            if "error" in found:
                raise errors.pull_failed(model, str(found["error"]))
            if found.get("total"):
                layer = str(found.get("digest", ""))
                sizes[layer] = int(found.get("completed") or 0), int(found["total"])
                done, total = map(sum, zip(*sizes.values(), strict=True))
                task.update(done, total)
            if found.get("status") == "success":
                return
    raise NetworkError(
        f"Ollama did not finish pulling {model}",
        why="it ended without saying success",
        next_step=f"smolpc backends.pull-ollama {model}   (it continues)",
    )
