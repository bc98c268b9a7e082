"""What the `--json` option of each command prints: one versioned object a command."""

from __future__ import annotations

from typing import Literal

from smolpc.schema.artifact import Generation, ModelRecord
from smolpc.schema.base import Bytes, Value
from smolpc.schema.plan import Plan
from smolpc.schema.profile import Profile
from smolpc.schema.result import RunResult


class ErrorBody(Value, kw_only=True):
    kind: str
    code: int
    what: str
    why: str
    next: str


class ErrorReport(Value, kw_only=True):
    """Printed instead of the command's own object when it fails."""

    format: int = 1
    error: ErrorBody


class VersionReport(Value, kw_only=True):
    format: int = 1
    smolpc: str
    python: str
    engine: str
    engine_version: str
    engine_commit: str


class ProfileRow(Value, kw_only=True):
    name: str
    summary: str
    fits: bool
    chosen: bool
    why: str


class ProfilesReport(Value, kw_only=True):
    format: int = 1
    profiles: tuple[ProfileRow, ...]


class WhyReport(Value, kw_only=True):
    format: int = 1
    profile: ProfileRow


class ProfileReport(Value, kw_only=True):
    format: int = 1
    source: str
    profile: Profile


class FilesReport(Value, kw_only=True):
    """Rendered files: name -> text."""

    format: int = 1
    files: dict[str, str]


class ArtifactRow(Value, kw_only=True):
    key: str
    profile: str
    engine: str
    size: Bytes
    current: bool
    runs_here: bool
    state: str


class ArtifactsReport(Value, kw_only=True):
    format: int = 1
    artifacts: tuple[ArtifactRow, ...]


class Checked(Value, kw_only=True):
    """One verified thing."""

    name: str
    ok: bool
    detail: str


class VerifyReport(Value, kw_only=True):
    format: int = 1
    ok: bool
    checked: tuple[Checked, ...]


class Garbage(Value, kw_only=True):
    """Something in the store that can go, and why."""

    path: str
    bytes: Bytes
    why: str


class GcReport(Value, kw_only=True):
    format: int = 1
    dry_run: bool
    bytes: Bytes
    removed: tuple[Garbage, ...]


class ModelRow(Value, kw_only=True):
    """`short` is the name as people type it; `size`, `parameters`, `context_length` 0: not
    known; `usual`: what its size means when no quantization is named; `installed`: in this
    user's store and not damaged; `shared`: not there, but in the store of all users."""

    name: str
    short: str
    aliases: tuple[str, ...]
    family: str
    summary: str
    size: Bytes
    parameters: int
    quantization: str
    purposes: tuple[str, ...]
    license: str
    context_length: int
    state: str  # confirmed, unconfirmed, pinned here, own; "own, not pinned"; only here; damaged
    usual: bool
    installed: bool
    default: bool
    shared: bool = False


class ModelsReport(Value, kw_only=True):
    format: int = 1
    models: tuple[ModelRow, ...]


class PullReport(Value, kw_only=True):
    format: int = 1
    record: ModelRecord
    path: str


class BuildReport(Value, kw_only=True):
    format: int = 1
    key: str
    profile: str
    path: str
    built: bool  # False: it was there already
    seconds: float


class SetupReport(Value, kw_only=True):
    format: int = 1
    changed: bool
    plan: Plan
    generation: Generation | None
    answer: RunResult | None


class Finding(Value, kw_only=True):
    """One line of `doctor`: what was found, what its absence costs, what fixes it."""

    subject: str
    state: Literal["ok", "note", "missing"]
    found: str
    cost: str = ""
    fix: str = ""


class DoctorReport(Value, kw_only=True):
    format: int = 1
    ready: bool
    findings: tuple[Finding, ...]
