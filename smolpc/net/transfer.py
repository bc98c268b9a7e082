"""Bring one pinned file to this machine: checked for space first, hashed while it streams,
under its final name only when every byte is the pinned one.

A later download manager (mirrors, parallel ranges) replaces `_from_web`; the promises of
`download` stay.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO

from smolpc import files
from smolpc.console import Reporter, Task, human_bytes
from smolpc.errors import NetworkError, TrustError
from smolpc.net.http import opened
from smolpc.net.places import host_of, local_path, shown
from smolpc.net.settings import NetSettings

if TYPE_CHECKING:
    import requests

CHUNK = 1 << 17


class _Part:
    """The unfinished file `<target>.part`; bytes that are already there are kept and hashed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.stream: BinaryIO = path.open("a+b")
        self.digest = hashlib.sha256()
        self.count = 0
        self.stream.seek(0)
        while chunk := self.stream.read(files.CHUNK):
            self.digest.update(chunk)
            self.count += len(chunk)
        self.joined = self.count > 0  # the bytes come from more than one answer
        self.hint = ""  # a possible reason for wrong bytes

    def __enter__(self) -> _Part:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self.stream.close()
        if isinstance(error, TrustError):
            self.path.unlink()

    def write(self, chunk: bytes) -> None:
        self.stream.write(chunk)
        self.digest.update(chunk)
        self.count += len(chunk)

    def restart(self) -> None:
        self.stream.truncate(0)
        self.digest, self.count, self.joined = hashlib.sha256(), 0, False

    def finish(self, target: Path) -> None:
        self.stream.flush()
        os.fsync(self.stream.fileno())
        self.stream.close()
        self.path.replace(target)
        files.fsync_folder(target.parent)


def download(
    url: str,
    target: Path,
    *,
    sha256: str,
    size: int | None = None,
    reporter: Reporter,
    title: str,
    settings: NetSettings,
) -> None:
    """Make `target` the file with this `sha256` (hex) and `size` (bytes; None: not pinned).

    `url` is http(s), `file:` or a plain path. Nothing is done when the right file is there
    already. Bytes wait in `<target>.part`, which a later call continues. Two processes that
    want the same target take turns. Raises SpaceError before a byte is written, NetworkError
    when the source cannot be reached or the transfer breaks, TrustError (and the part is
    removed) when the bytes are not the pinned ones.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    lock = files.lock(
        target.with_name(f".{target.name}.lock"),
        on_wait=lambda: reporter.note(f"another smolpc process downloads {target.name}: waiting"),
        check=reporter.check,
    )
    with files.explain_os_errors(target.parent, f"download {title}"), lock:
        if target.is_file() and files.sha256_file(target) == sha256:
            return
        path = target.with_name(f"{target.name}.part")
        if size is not None:
            there = path.stat().st_size if path.exists() else 0
            files.require_space(target.parent, max(size - there, 0), f"download {title}")
        with reporter.task(title, total=size) as task, _Part(path) as part:
            transfer = _Transfer(url, part, size, task, settings)
            transfer.run()
            if part.joined and part.digest.hexdigest() != sha256:
                part.restart()  # the file changed between two answers: once more, in one piece
                transfer.run()
            if part.digest.hexdigest() != sha256:
                raise _not_pinned(
                    url, part, f"expected sha256 {sha256}, got {part.digest.hexdigest()}"
                )
            part.finish(target)


def _not_pinned(url: str, part: _Part, why: str) -> TrustError:
    return TrustError(
        f"{part.path.name.removesuffix('.part')} from {host_of(url) or shown(url)}"
        " is not the pinned file",
        why=why + (f"; {part.hint}" if part.hint else ""),
        next_step="run the same command again; if it says the same, do not use this source",
    )


class _Transfer:
    """Fills a part from one URL; every way out but `run` returning is an error."""

    def __init__(
        self, url: str, part: _Part, size: int | None, task: Task, settings: NetSettings
    ) -> None:
        self.url, self.part, self.size, self.task = url, part, size, task
        self.settings = settings
        self.etag = ""
        self.ranges = True

    def run(self) -> None:
        path = local_path(self.url)
        if path is not None:
            self._from_file(path)
        else:
            self._from_web()

    def _take(self, chunk: bytes) -> None:
        self.part.write(chunk)
        self.task.update(self.part.count)
        if self.size is not None and self.part.count > self.size:
            raise self._wrong_size("more than that")

    def _wrong_size(self, got: str) -> TrustError:
        return _not_pinned(self.url, self.part, f"expected {self.size} bytes, got {got}")

    def _from_file(self, path: Path) -> None:
        self.part.restart()
        try:
            with path.open("rb") as stream:
                while chunk := stream.read(files.CHUNK):
                    self._take(chunk)
        except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
            raise NetworkError(
                f"{path} cannot be read", why=error.strerror or "", next_step="pip config list"
            ) from error
        if self.size is not None and self.part.count < self.size:
            raise self._wrong_size(str(self.part.count))

    def _from_web(self) -> None:
        from smolpc.net.faults import Passing, Patience

        patience = Patience(self.settings)
        if self.size is not None and self.part.count > self.size:
            self.part.restart()
        while self.part.count != self.size:
            try:
                self._one_answer()
            except Passing as fault:
                patience.failed(fault, self.part.count)
            else:
                return

    def _one_answer(self) -> None:
        # identity: a digest is over the bytes of the file, not over a compressed transfer
        headers = {"Accept-Encoding": "identity"}
        if self.part.count and self.ranges:
            headers["Range"] = f"bytes={self.part.count}-"
            if self.etag:
                headers["If-Range"] = self.etag
        with opened(self.url, self.settings, headers, accept=(200, 206, 416)) as response:
            self._begin(response)
            for chunk in response.raw.stream(CHUNK, decode_content=False):
                self._take(chunk)
        if self.size is not None and self.part.count < self.size:
            raise self._passing("the answer ended early")

    def _begin(self, response: requests.Response) -> None:
        """Look at the head of the answer: where do its bytes belong?"""
        if response.status_code == 206 and self.part.count:
            given = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
            if given is None or int(given[1]) != self.part.count:
                self.ranges = False
                raise self._passing("it sent another part of the file than was asked for")
            self.part.joined = True
        elif response.status_code == 200:
            self.part.restart()
        else:
            self.part.restart()
            self.ranges = False
            raise self._passing(f"HTTP {response.status_code} to a request for a range")
        etag = response.headers.get("ETag", "")
        self.etag = "" if etag.startswith("W/") else etag
        if response.headers.get("Content-Type", "").startswith("text/html"):
            self.part.hint = "the answer is a web page, perhaps a login page of this network"
        self._check_length(response.headers.get("Content-Length", ""))

    def _check_length(self, text: str) -> None:
        if not text.isdecimal():
            return
        whole = self.part.count + int(text)
        if self.size is None:
            files.require_space(self.part.path.parent, int(text), f"download {shown(self.url)}")
            self.task.update(self.part.count, whole)
        elif whole != self.size:
            raise self._wrong_size(human_bytes(whole) if whole > self.size else str(whole))

    def _passing(self, why: str) -> Exception:
        from smolpc.net import faults

        error = NetworkError(
            f"no complete answer from {faults.way(self.url, self.settings)}",
            why=why,
            next_step=faults.AGAIN,
        )
        return faults.Passing(error)
