"""What the store keeps: artifacts, models, generations."""

from __future__ import annotations

from smolpc.schema.base import Bytes, Sha256, Value
from smolpc.schema.spec import BuildSpec


class FileEntry(Value, kw_only=True):
    size: Bytes
    sha256: Sha256
    executable: bool = False


class Requirements(Value, kw_only=True):
    """What a host must offer to run the artifact."""

    system: str
    arch: str
    cpu_features: tuple[str, ...] = ()
    libc: str = ""
    libc_floor: str = ""
    backends: tuple[str, ...] = ()
    driver: str = ""


class TrustResult(Value, kw_only=True):
    """The child's verdict (design, section 6). Only `passed` lets an artifact in."""

    verdict: str  # passed, failed, inconclusive
    checks: dict[str, str]  # name of the check -> one sentence
    devices: tuple[str, ...] = ()
    error: str = ""


class Artifact(Value, kw_only=True):
    """`manifest.json` of an artifact."""

    format: int = 1
    key: Sha256
    spec: BuildSpec
    profile: str
    content_digest: Sha256
    files: dict[str, FileEntry]  # path with '/', relative to the artifact
    lib_dir: str  # "lib", or "bin" on Windows where DLLs must lie beside the programs
    requirements: Requirements
    cmake_cache: dict[str, str]  # effective values, from the CMake file API
    compilers: dict[str, str]  # language -> "GNU 12.2.0", from the CMake file API
    abi: dict[str, int]  # struct -> size in bytes, proved by the compiler
    trust: TrustResult | None = None

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(entry.size for entry in self.files.values())


class ModelRecord(Value, kw_only=True):
    """Beside each model: what was verified, and the state of the file at that moment."""

    format: int = 1
    name: str
    sha256: Sha256
    size: Bytes
    filename: str
    mtime_ns: int
    inode: int
    ctime_ns: int = 0  # of the last change of anything; unlike mtime nobody can set it back
    context_length: int = 0  # tokens the model was trained for; 0: the file's header decides
    license: str = ""
    source: str = ""


class Generation(Value, kw_only=True):
    """One provisioned state: what `run` uses. Numbers only grow."""

    format: int = 1
    number: int
    created: str  # ISO 8601, UTC
    profile: str
    artifact: Sha256
    model: Sha256
    model_name: str
    notes: tuple[str, ...] = ()  # fallbacks that were taken
