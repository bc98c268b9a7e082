"""Where things lie in the store. The only module that knows the folder names."""

from __future__ import annotations

from pathlib import Path

from smolpc import files

CACHEDIR_TAG = b"""Signature: 8a477f597d28d172789f06886806bc55
# This folder holds files that smolpc can make again. See https://bford.info/cachedir/
"""


class Store:
    """A store folder. Creating the object touches nothing; `prepare` makes the folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.artifacts = root / "artifacts"
        self.models = root / "models"
        self.generations = root / "generations"
        self.downloads = root / "downloads"
        self.sources = root / "sources"
        self.work = root / "work"
        self.tmp = root / "tmp"
        self.logs = root / "logs"
        self.tools = root / "tools"
        self.locks = root / "locks"
        self.in_use = root / "in-use"
        self.refused = root / "refused"
        self.pins = root / "pins"  # digests of models that were trusted at first use
        self.tuned = root / "tuned"  # settings that were measured to be faster
        self.benchmarks = root / "benchmarks"  # results, one file for each run

    def artifact(self, key: str) -> Path:
        return self.artifacts / key

    def lock_file(self, name: str) -> Path:
        return self.locks / f"{name}.lock"

    def prepare(self) -> None:
        """Make the folder and mark it as a cache, or raise with the remedy."""
        with files.explain_os_errors(self.root, f"write to the store {self.root}"):
            self.root.mkdir(parents=True, exist_ok=True)
            tag = self.root / "CACHEDIR.TAG"
            if not tag.exists():
                files.write_atomic(tag, CACHEDIR_TAG)
            for folder in (
                self.artifacts,
                self.models,
                self.generations,
                self.tmp,
                self.locks,
                self.logs,
            ):
                folder.mkdir(exist_ok=True)
