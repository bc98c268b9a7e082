"""Library files are found under the names that builds give them."""

from __future__ import annotations

from pathlib import Path

import pytest

from smolpc.runtime import libraries


def test_find_takes_this_platforms_name(tmp_path: Path) -> None:
    folder = tmp_path / "Größe und Raum"
    folder.mkdir()
    name = f"{libraries.PREFIX}ggml-base{libraries.SUFFIX}"
    (folder / name).touch()
    assert libraries.find(folder, "ggml-base").name == name
    with pytest.raises(FileNotFoundError, match="llama"):
        libraries.find(folder, "llama")


def test_listing_names_each_library_once(tmp_path: Path) -> None:
    real = tmp_path / f"libx{libraries.SUFFIX}"
    real.touch()
    (tmp_path / f"libx{libraries.SUFFIX}.0").symlink_to(real)
    (tmp_path / "llama-bench").touch()
    (tmp_path / "notes.txt").touch()
    assert libraries.listing(tmp_path) == [real.resolve()]
