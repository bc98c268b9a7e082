"""What a caller is told whose model was closed by somebody else."""

from __future__ import annotations

from smolpc.errors import UsageError


def closed() -> UsageError:
    """The error to raise instead of a call with a handle that was freed: it would crash."""
    return UsageError(
        "the model is closed",
        why="its engine was closed, or it was unloaded",
        next_step="read the stream before that, or load the model again",
    )
