"""What shared libraries are called on this platform: the runtime's only platform branch."""

from __future__ import annotations

import sys
from pathlib import Path

if sys.platform == "win32":
    PREFIX, SUFFIX = "", ".dll"
elif sys.platform == "darwin":
    PREFIX, SUFFIX = "lib", ".dylib"
else:
    PREFIX, SUFFIX = "lib", ".so"


def find(folder: Path, name: str) -> Path:
    """The library `name` ("ggml-base") in `folder`.

    MinGW builds keep the `lib` prefix on Windows, and macOS builds dynamic backends as
    `.so`. Raises FileNotFoundError.
    """
    for candidate in (f"{PREFIX}{name}{SUFFIX}", f"lib{name}{SUFFIX}", f"{PREFIX}{name}.so"):
        if (folder / candidate).is_file():
            return folder / candidate
    raise FileNotFoundError(f"there is no library {PREFIX}{name}{SUFFIX} in {folder}")


def listing(folder: Path) -> list[Path]:
    """Every shared library in `folder`, once each, however many version links name it."""
    found = {
        path.resolve()
        for path in folder.iterdir()
        if path.is_file() and {SUFFIX, ".so"} & set(path.suffixes)
    }
    return sorted(found)
