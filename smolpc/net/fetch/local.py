"""A folder, a USB stick or a share as the source: copied and hashed in one go."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from smolpc import files
from smolpc.errors import NetworkError, TrustError
from smolpc.net.fetch import state


def copy(
    source: Path,
    target: Path,
    *,
    size: int | None,
    title: str,
    on_bytes: Callable[[int, int], None],
) -> str:
    """Make `<target>.part` a copy of `source`; its sha256 (hex). `on_bytes` gets (done, total)
    and may raise to stop. Raises NetworkError when it cannot be read, TrustError when its size
    is not `size`."""
    part = target.with_name(f"{target.name}.part")
    digest = hashlib.sha256()
    try:
        with source.open("rb", buffering=0) as stream:
            total = source.stat().st_size
            if size not in (None, total):
                raise TrustError(
                    f"{target.name} from {source} is not the pinned file",
                    why=f"expected {size} bytes, got {total}",
                    next_step="run the same command again; if it says the same, do not use"
                    " this source",
                )
            state.path_of(target).unlink(missing_ok=True)  # an unfinished download is gone
            there = files.allocated(part)
            files.require_space(target.parent, max(total - there, 0), title)
            with part.open("wb") as out:
                while chunk := stream.read(files.CHUNK):
                    out.write(chunk)
                    digest.update(chunk)
                    on_bytes(out.tell(), total)
    except (FileNotFoundError, IsADirectoryError, PermissionError) as error:
        if error.filename != str(source):
            raise
        raise NetworkError(
            f"{source} cannot be read",
            why=error.strerror or "",
            next_step="check the path, or make the file readable",
        ) from error
    return digest.hexdigest()
