"""A store on one side, servers with wheels and files on the other."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

import msgspec

from smolpc import pypi
from smolpc.console import Silent
from smolpc.errors import PrerequisiteError
from smolpc.models import download, places
from smolpc.models.access import Access
from smolpc.net import NetSettings
from smolpc.schema.artifact import ModelRecord
from smolpc.schema.model import (
    ModelManifest,
    ModelSource,
    WheelPart,
    WheelPartsSource,
    WheelSource,
)
from smolpc.settings import Settings
from smolpc.store import Store
from tests.models.manifests import manifest
from tests.sim.server import SimServer


class School:
    """A store on one side, a package index with wheels on the other."""

    def __init__(self, root: Path, server: SimServer, net: NetSettings) -> None:
        self.server, self.root = server, root
        self.store = Store(root / "Modelle ä")
        self.models, self.downloads = self.store.models, self.store.downloads
        self.settings = Settings(store=str(self.store.root), machine_store=str(self.store.root))
        self.index = pypi.Settings(indexes=(server.url("/simple"),), net=net)

    def wheel(self, project: str, data: bytes, member: str = "pkg/model.gguf") -> WheelSource:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as made:
            made.writestr("pkg/__init__.py", "raise SystemExit('never run')")
            made.writestr(member, data)
        body = packed.getvalue()
        filename = f"{project}-1.0-py3-none-any.whl"
        self.server.add(f"/files/{filename}", body)
        self.server.index(project, [f"/files/{filename}"])
        return WheelSource(
            project=project,
            version="1.0",
            filename=filename,
            sha256=hashlib.sha256(body).hexdigest(),
            size=len(body),
            member=member,
        )

    def parts(self, *pieces: bytes) -> WheelPartsSource:
        wheels = [self.wheel(f"part{number}", piece) for number, piece in enumerate(pieces)]
        return WheelPartsSource(
            parts=tuple(
                WheelPart(
                    project=one.project,
                    version=one.version,
                    filename=one.filename,
                    sha256=one.sha256,
                    size=one.size,
                    member=one.member,
                )
                for one in wheels
            )
        )

    def access(self) -> Access:
        return Access(index=self.index, mirrors=places.mirrors(self.settings, {}))

    def pull(
        self, wanted: ModelManifest, reporter: Silent | None = None, *, allow_unpinned: bool = False
    ) -> ModelRecord:
        return download.pull(
            wanted,
            self.store,
            self.settings,
            reporter=reporter or Silent(),
            reach=self.access,
            allow_unpinned=allow_unpinned,
        )

    def user(self, name: str, **settings: str) -> School:
        """Another user of this PC, with a store of their own."""
        made = School(self.root / name, self.server, self.index.net)
        made.settings = Settings(store=str(made.store.root), **settings)  # type: ignore[arg-type]
        return made

    def downloads_of(self, source: WheelSource) -> int:
        return len(self.server.requests(f"/files/{source.filename}"))


def folders(school: School) -> list[str]:
    return [path.name for path in school.models.iterdir() if path.is_dir()]


def held(*folders: Path) -> int:
    """Bytes of model files on the disk, each file once however many names it has."""
    found = {
        (state.st_dev, state.st_ino): state.st_size
        for folder in folders
        for path in folder.rglob("*.gguf")
        for state in [path.stat()]
    }
    return sum(found.values())


def refused(*_: object) -> None:
    raise PrerequisiteError("not allowed")


def unpinned(source: ModelSource, name: str = "new") -> ModelManifest:
    known = manifest(source, name=name)
    file = msgspec.structs.replace(
        known.file, sha256=None, size=0, unverified="nobody has pinned it"
    )
    return msgspec.structs.replace(known, file=file)
