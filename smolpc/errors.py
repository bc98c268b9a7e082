"""Every error smolpc raises on purpose: one class, one exit code, one next step.

Code below the command line raises these and never prints or exits. Callers treat
two families differently: `TryAgain` (the same command may work later) and
`DoNotTrust` (it must not be retried until a person has looked).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar


class SmolpcError(Exception):
    """Something the user can act on: what happened, why, and the next command to type."""

    code: ClassVar[int] = 1
    kind: ClassVar[str] = "internal"

    def __init__(self, what: str, *, why: str = "", next_step: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.next_step = next_step

    def __str__(self) -> str:
        return f"{self.what} ({self.why})" if self.why else self.what


class TryAgain(SmolpcError):
    """The cause is outside and may pass: network, another process, disk space."""


class DoNotTrust(SmolpcError):
    """Bytes are not what they were pinned or recorded to be."""


class UsageError(SmolpcError):
    """The command line, a setting or a YAML file is wrong."""

    code = 2
    kind = "usage"


class PrerequisiteError(SmolpcError):
    """The machine lacks something smolpc cannot provide: a compiler, a permission."""

    code = 3
    kind = "prerequisite"


class NetworkError(TryAgain):
    """No source could be reached, or a transfer broke."""

    code = 4
    kind = "network"


class ToolUnavailable(NetworkError):
    """No place has a build tool; a profile that does without it may still be built."""

    def __init__(self, tool: str, cause: NetworkError) -> None:
        super().__init__(cause.what, why=cause.why, next_step=cause.next_step)
        self.tool = tool


class TrustError(DoNotTrust):
    """A digest, a signature or a self-check failed."""

    code = 5
    kind = "not-trusted"


class SelfCheckError(TrustError):
    """A freshly built engine failed its self-check; a simpler profile may pass."""


class SpaceError(TryAgain):
    """The disk has less free space than the step needs."""

    code = 6
    kind = "no-space"


class BuildError(SmolpcError):
    """Configuring or compiling the engine failed."""

    code = 7
    kind = "build-failed"


class NoProfileError(SmolpcError):
    """No hardware profile fits this machine."""

    code = 8
    kind = "no-profile"


class BusyError(TryAgain):
    """Another process holds a lock and did not finish in time."""

    code = 9
    kind = "busy"


class ServerError(TryAgain):
    """The engine's server did not get ready, or ended again and again."""

    code = 10
    kind = "server"


class GateFailed(SmolpcError):
    """A condition of `bench.compare --fail-if` was met."""

    code = 11


class Interrupted(TryAgain):
    """The user pressed Ctrl-C, or the process was asked to stop."""

    code = 130
    kind = "interrupted"


def worst_of(errors: Sequence[SmolpcError], what: str) -> SmolpcError:
    """One error for the failures of several places: not to be trusted if one of them says so."""
    if len(errors) == 1:
        return errors[0]
    worst = next((error for error in errors if isinstance(error, DoNotTrust)), None)
    kind = TrustError if worst else NetworkError
    return kind(
        f"no source of {what} works",
        why="".join(f"\n    {error}" for error in errors) or "none was named",
        next_step=(worst or errors[0]).next_step if errors else "smolpc models.list",
    )


EXIT_CODES: dict[int, str] = {
    0: "done",
    1: "internal error (a defect in smolpc: please report it)",
    **{
        cls.code: (cls.__doc__ or "").strip()
        for cls in (
            UsageError,
            PrerequisiteError,
            NetworkError,
            TrustError,
            SpaceError,
            BuildError,
            NoProfileError,
            BusyError,
            ServerError,
            Interrupted,
        )
    },
}
