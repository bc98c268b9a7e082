"""Read what CMake decided, from its file API (cmake-file-api(7)): no log is parsed."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path
from typing import Any

import msgspec

from smolpc.errors import BuildError

PRODUCTS = {"SHARED_LIBRARY", "MODULE_LIBRARY", "EXECUTABLE"}


class Reply:
    """The reply of one configured build tree."""

    def __init__(self, build: Path) -> None:
        self.build = build
        self.folder = build / ".cmake" / "api" / "v1" / "reply"
        indexes = sorted(self.folder.glob("index-*.json"))
        if not indexes:
            raise BuildError(
                "CMake left no file API reply",
                why=f"{self.folder} has no index",
                next_step=f"delete the folder {build}, then: smolpc setup",
            )
        index = self._read(indexes[-1].name)
        self._kinds = {item["kind"]: item["jsonFile"] for item in index["objects"]}

    def _read(self, name: str) -> Any:
        return msgspec.json.decode((self.folder / name).read_bytes())

    def cache(self) -> dict[str, str]:
        """Effective cache entries, without CMake's own (internal and static) ones."""
        return {
            entry["name"]: entry["value"]
            for entry in self._read(self._kinds["cache"])["entries"]
            if entry["type"] not in ("INTERNAL", "STATIC")
        }

    def compilers(self) -> dict[str, str]:
        """Language -> "GNU 12.2.0"."""
        return {
            item[
                "language"
            ]: f"{item['compiler'].get('id', '?')} {item['compiler'].get('version', '?')}"
            for item in self._read(self._kinds["toolchains"])["toolchains"]
        }

    def products(self, targets: Iterable[str], omit: Collection[str] = ()) -> dict[Path, str]:
        """File -> target type, for the shared libraries, modules and programs that the
        targets are or depend on, those of the targets in `omit` left out."""
        configuration = self._read(self._kinds["codemodel"])["configurations"][0]
        files = {item["name"]: item["jsonFile"] for item in configuration["targets"]}
        names = {item["id"]: item["name"] for item in configuration["targets"]}
        queue, seen, found = list(targets), set[str](), dict[Path, str]()
        while queue:
            name = queue.pop()
            if name in seen or name not in files:
                continue
            seen.add(name)
            target = self._read(files[name])
            queue += [
                names[item["id"]] for item in target.get("dependencies", []) if item["id"] in names
            ]
            if target["type"] in PRODUCTS and name not in omit:
                wanted = target["nameOnDisk"]
                found |= {
                    self.build / item["path"]: target["type"]
                    for item in target.get("artifacts", [])
                    if Path(item["path"]).name == wanted
                }
        return found
