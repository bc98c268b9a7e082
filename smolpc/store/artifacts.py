"""Artifacts in the store: put, find, read, verify.

`manifest.json` lists the digest of every file; `manifest.sha256` holds the digest of the
manifest and is the sentinel, written last. A folder without it does not exist for us.

Files are hashed each time an artifact is used. NVIDIA's libraries are so large that a start
would take a second more (two on a processor without SHA instructions); such files are treated
like models: `<key>.seen.json` beside the folder says which ones were hashed and are unchanged.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Collection, Iterator
from pathlib import Path

import msgspec

from smolpc import files
from smolpc.errors import TrustError, UsageError
from smolpc.schema.artifact import Artifact, FileEntry
from smolpc.schema.base import canonical_json
from smolpc.store.layout import Store

MANIFEST = "manifest.json"
SENTINEL = "manifest.sha256"
LARGE = 50_000_000  # bytes; ggml's own libraries are smaller
REBUILD = "smolpc setup   (it builds the engine again)"


def entries(root: Path) -> dict[str, FileEntry]:
    """Size, digest and executable bit of every file below `root`, manifest excluded."""
    return {
        path.relative_to(root).as_posix(): FileEntry(
            size=path.stat().st_size,
            sha256=files.sha256_file(path),
            executable=files.is_executable(path),
        )
        for path in files.walk(root)
        if path.relative_to(root).as_posix() not in (MANIFEST, SENTINEL)
    }


def content_digest(found: dict[str, FileEntry]) -> str:
    """Digest of the packaged tree: paths, contents and executable bits, nothing else."""
    text = "".join(
        f"{name}\0{entry.sha256}\0{'x' if entry.executable else '-'}\n"
        for name, entry in sorted(found.items())
    )
    return hashlib.sha256(text.encode()).hexdigest()


def seal(root: Path, artifact: Artifact) -> None:
    """Write the manifest, then the sentinel."""
    data = msgspec.json.format(canonical_json(artifact), indent=1)
    files.write_atomic(root / MANIFEST, data)
    files.write_atomic(root / SENTINEL, (hashlib.sha256(data).hexdigest() + "\n").encode())


def read(root: Path) -> Artifact:
    """The manifest of the artifact in `root`. Raises TrustError when it was changed."""
    try:
        data = (root / MANIFEST).read_bytes()
        recorded = (root / SENTINEL).read_text(encoding="utf-8", errors="replace").strip()
    except FileNotFoundError as error:
        raise TrustError(
            f"{root} is not a complete artifact",
            why=f"{Path(error.filename).name} is missing",
            next_step=REBUILD,
        ) from error
    if hashlib.sha256(data).hexdigest() != recorded:
        raise TrustError(
            f"the artifact {root.name} was changed after it was built",
            why=f"{MANIFEST} does not match {SENTINEL}",
            next_step=REBUILD,
        )
    try:
        return msgspec.json.decode(data, type=Artifact)
    except msgspec.MsgspecError as error:
        raise TrustError(
            f"the artifact {root.name} was made by another version of smolpc",
            why=str(error),
            next_step="smolpc setup   (it builds the engine again)",
        ) from error


Stamp = tuple[int, int, int, int]  # size, time of change, time of status change, inode


def _stamps(root: Path, artifact: Artifact) -> dict[str, Stamp]:
    """The state of the large files."""
    found = {}
    for name, entry in artifact.files.items():
        if entry.size >= LARGE and (root / name).is_file():
            state = (root / name).stat()
            found[name] = (state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino)
    return found


def seen_file(store: Store, key: str) -> Path:
    return store.artifacts / f"{key}.seen.json"


def _seen(store: Store, key: str) -> dict[str, Stamp]:
    try:
        return msgspec.json.decode(seen_file(store, key).read_bytes(), type=dict[str, Stamp])
    except (OSError, msgspec.MsgspecError):
        return {}


def damage(root: Path, artifact: Artifact, sound: Collection[str] = ()) -> list[str]:
    """One sentence for each file that is missing, added or changed; empty when sound.
    The files `sound` are not hashed."""
    found = {path.relative_to(root).as_posix(): path for path in files.walk(root)}
    extra = found.keys() - artifact.files.keys() - {MANIFEST, SENTINEL}
    problems = [f"{name} is not part of the artifact" for name in sorted(extra)]
    for name, entry in artifact.files.items():
        path = found.get(name)
        if path is None:
            problems.append(f"{name} is missing")
        elif path.is_symlink() or path.stat().st_size != entry.size:
            problems.append(f"{name} has another size than recorded")
        elif name not in sound and files.sha256_file(path) != entry.sha256:
            problems.append(f"{name} has other content than recorded")
    return problems


def open_verified(root: Path) -> Artifact:
    """Read the manifest and hash every file. Raises TrustError on a change."""
    artifact = read(root)
    _require_sound(artifact, damage(root, artifact))
    return artifact


def _require_sound(artifact: Artifact, problems: list[str]) -> None:
    if problems:
        raise TrustError(
            f"the artifact {artifact.key[:12]} was changed after it was built",
            why="; ".join(problems[:5]),
            next_step=REBUILD,
        )


def open_stored(store: Store, key: str, *, whole: bool = False) -> Artifact:
    """The verified artifact of that key, which passed its self-check. Raises TrustError.

    Large files are hashed when they are not as they were when they were hashed last;
    `whole` hashes them anyway.
    """
    root, seen = store.artifact(key), _seen(store, key)
    artifact = read(root)
    stamps = _stamps(root, artifact)
    sound = {name for name in stamps if not whole and stamps[name] == seen.get(name)}
    problems = damage(root, artifact, sound)
    if problems:
        seen_file(store, key).unlink(missing_ok=True)  # nobody takes it for sound again
    _require_sound(artifact, problems)
    if stamps != seen:
        with contextlib.suppress(OSError):  # a store that is shared read-only
            files.write_atomic(seen_file(store, key), msgspec.json.encode(stamps))
    proved = artifact.trust is not None and artifact.trust.verdict == "passed"
    if artifact.key != key or artifact.spec.key != key or not proved:
        raise TrustError(
            f"the artifact {key[:12]} is not what its folder says",
            why=f"its manifest has the key {artifact.key[:12]}"
            if artifact.key != key
            else "it never passed its self-check",
            next_step=REBUILD,
        )
    return artifact


def keys(store: Store) -> list[str]:
    """Keys of all complete artifacts."""
    return sorted(path.parent.name for path in store.artifacts.glob(f"*/{SENTINEL}"))


def readable(store: Store) -> Iterator[tuple[str, Artifact | None]]:
    """All artifacts with their manifest; None where it cannot be trusted."""
    for key in keys(store):
        try:
            yield key, read(store.artifact(key))
        except TrustError:
            yield key, None


def find(store: Store, text: str) -> str:
    """The full key that starts with `text`. Raises UsageError when none or several do."""
    matches = [key for key in keys(store) if key.startswith(text.lower())]
    if len(matches) == 1:
        return matches[0]
    raise UsageError(
        f"no artifact starts with '{text}'" if not matches else f"'{text}' is ambiguous",
        why=f"{len(keys(store))} artifacts are in {store.root}"
        if not matches
        else f"it could be {', '.join(key[:16] for key in matches)}",
        next_step="smolpc artifacts.list",
    )
