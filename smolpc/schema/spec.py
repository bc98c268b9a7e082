"""What a build is made of, and nothing else: the pre-image of the request key."""

from __future__ import annotations

from smolpc.schema.base import Value, digest_of

PACKAGING = 1  # raise it when the layout of an artifact changes


class CompilerId(Value, kw_only=True):
    """One language's compiler, by identity and not by path."""

    id: str  # gcc, clang, msvc, nvcc, ...
    version: str
    target: str = ""


class BuildSpec(Value, kw_only=True):
    """Everything that decides the bytes of an artifact (design, section 5).

    Left out on purpose, because they do not: paths, user, host name, time, job count,
    compiler cache, verbosity.
    """

    format: int = 1
    engine: str
    version: str
    commit: str
    tree_sha256: str
    bindings_sha256: str
    patches: tuple[str, ...]
    cmake: dict[str, str]
    targets: tuple[str, ...]
    omit: tuple[str, ...]
    license_files: tuple[str, ...]
    triple: str  # arch-system-libc
    libc_floor: str
    compilers: dict[str, CompilerId]
    linker: str
    cmake_version: str
    generator: str
    sdks: dict[str, str]
    gpu_architectures: tuple[str, ...]
    packaging: int = PACKAGING

    @property
    def key(self) -> str:
        """The request key: sha256 of the canonical JSON of this spec."""
        return digest_of(self)
