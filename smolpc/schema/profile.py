"""Hardware profiles: which machine, which build. One YAML file each in `profiles/`."""

from __future__ import annotations

from typing import Literal

from smolpc.schema.base import Bytes, Name, Value, Version
from smolpc.schema.host import Arch, GpuVendor, System


class CpuMatch(Value, kw_only=True):
    """Floors for the processor. The features that `build.cpu` uses are required anyway."""

    microarchitecture: str = ""  # archspec name; the host must be it or descend from it
    features: tuple[str, ...] = ()
    vendor: str = ""


class GpuMatch(Value, kw_only=True):
    """At least one GPU of the host must satisfy all of these."""

    vendor: tuple[GpuVendor, ...] = ()  # empty: any vendor
    min_compute_capability: Version | None = None
    max_compute_capability: Version | None = None
    min_driver: Version | None = None
    min_memory: Bytes | None = None
    integrated: bool | None = None  # None: either


class LibcMatch(Value, kw_only=True):
    name: Literal["glibc", "musl", "ucrt", "libsystem"]
    min_version: Version | None = None


class Match(Value, kw_only=True):
    """What a host must be. Everything that is left out matches anything."""

    os: tuple[System, ...] = ()
    arch: tuple[Arch, ...] = ()
    cpu: CpuMatch = CpuMatch()
    gpu: GpuMatch | None = None
    npu: str | None = None  # substring of an NPU's name
    libc: LibcMatch | None = None
    min_memory: Bytes | None = None


class Build(Value, kw_only=True):
    """What to build. Feature names are those of the engine recipe, not of one llama.cpp version.

    `cpu` lists instruction-set features; two words stand for a set: `native` (every feature
    the host has) and `all-variants` (one library per CPU generation, picked at run time).
    """

    backends: tuple[str, ...] = ("cpu",)
    cpu: tuple[str, ...] = ()
    options: tuple[str, ...] = ()  # further recipe features, such as "openmp" or "accelerate"
    gpu_architectures: tuple[str, ...] = ()  # CUDA: "89-real", "120-virtual"
    compiler: Literal["", "gcc", "clang", "msvc", "mingw"] = ""  # "" is the platform's default
    system: System | None = None  # set together with `arch` to cross-compile
    arch: Arch | None = None


class RuntimeDefaults(Value, kw_only=True):
    """Starting values for the runtime; the user's settings come before them."""

    gpu_layers: int | None = None  # None: let the runtime decide; -1: all
    threads: int | None = None  # None: usable physical (or performance) cores


class Yield(Value, kw_only=True):
    """A measured reason to prefer another profile although this one matches more."""

    to: Name
    because: str


class Profile(Value, kw_only=True):
    name: Name
    summary: str
    extends: Name | None = None
    abstract: bool = False  # only there to be extended
    manual: bool = False  # never chosen by itself, only by name
    match: Match = Match()
    build: Build = Build()
    runtime: RuntimeDefaults = RuntimeDefaults()
    yields: tuple[Yield, ...] = ()
