"""Fetched build tools: several verified wheels make one folder, or none at all."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest

from smolpc import files, pypi
from smolpc.build import toolbox
from smolpc.console import Silent
from smolpc.errors import NetworkError, ToolUnavailable, TrustError
from smolpc.schema.engine import ToolRecipe, ToolWheel
from smolpc.store import Store
from tests.machines import hosts

HOST = hosts()["cloud-xeon-icelake-debian12"]
NOWHERE = pypi.Settings(indexes=())
PARTS = {
    "compiler-1-py3-none-any.whl": {"sdk/bin/compiler": b"runs", "sdk/lib/libstart.a": b"links"},
    "backend-1-py3-none-any.whl": {"sdk/nvvm/bin/backend": b"runs too", "sdk/lib/libx.so.1": b"x"},
}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store(tmp_path / "store")
    made.prepare()
    made.downloads.mkdir(exist_ok=True)
    return made


def downloaded(store: Store, name: str, contents: dict[str, bytes]) -> ToolWheel:
    """A wheel that was downloaded already, and its pin."""
    path = store.downloads / name
    with zipfile.ZipFile(path, "w") as wheel:
        for inside, data in contents.items():
            wheel.writestr(inside, data)
    return ToolWheel(
        system="linux",
        arch="x86_64",
        filename=name,
        size=path.stat().st_size,
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
    )


def recipe_of(wheels: list[ToolWheel]) -> ToolRecipe:
    return ToolRecipe(
        name="compiler",
        version="1",
        at_least="1",
        project="compiler",
        root="",
        program="sdk/bin/compiler",
        places={"X_LIBRARY": "sdk/lib/libx.so.1"},
        wheels=tuple(wheels),
    )


def fetch(store: Store, recipe: ToolRecipe) -> Path:
    return toolbox.fetch(store, recipe, HOST, index=NOWHERE, reporter=Silent())


def test_all_wheels_of_a_machine_make_one_folder(store: Store) -> None:
    recipe = recipe_of([downloaded(store, name, PARTS[name]) for name in PARTS])
    program = fetch(store, recipe)
    folder = toolbox.folder_of(store, recipe)
    assert program == folder / "sdk/bin/compiler"
    for contents in PARTS.values():
        for inside, data in contents.items():
            assert (folder / inside).read_bytes() == data
    executable = {path.name for path in files.walk(folder) if files.is_executable(path)}
    assert executable == {"compiler", "backend"}
    assert files.is_sealed(folder)
    assert toolbox.places(store, recipe) == {"X_LIBRARY": str(folder / "sdk/lib/libx.so.1")}
    assert list(store.downloads.iterdir()) == []
    assert fetch(store, recipe) == program  # nothing is asked, nothing is done


def test_no_wheel_replaces_what_another_brought(store: Store) -> None:
    wheels = [downloaded(store, f"{name}-1-py3-none-any.whl", {"bin/x": b"x"}) for name in "ab"]
    recipe = recipe_of(wheels)
    with pytest.raises(TrustError, match="does not fit the other parts of compiler"):
        fetch(store, recipe)
    assert not toolbox.folder_of(store, recipe).exists()


def test_a_part_that_cannot_be_had_leaves_no_folder_and_keeps_the_others(store: Store) -> None:
    wheels = [downloaded(store, name, PARTS[name]) for name in PARTS]
    (store.downloads / wheels[1].filename).unlink()
    recipe = recipe_of(wheels)
    assert toolbox.bytes_to_fetch(store, wheels) == wheels[1].size
    with pytest.raises(ToolUnavailable, match="backend") as caught:
        fetch(store, recipe)
    assert caught.value.tool == recipe.name
    assert caught.value.next_step
    assert not files.is_sealed(toolbox.folder_of(store, recipe))
    assert (store.downloads / wheels[0].filename).exists()


def test_a_changed_download_is_not_unpacked(store: Store) -> None:
    wheels = [downloaded(store, name, PARTS[name]) for name in PARTS]
    with (store.downloads / wheels[0].filename).open("ab") as stream:
        stream.write(b"more")
    recipe = recipe_of(wheels)
    with pytest.raises(NetworkError, match="compiler"):
        fetch(store, recipe)
    assert not toolbox.folder_of(store, recipe).exists()
