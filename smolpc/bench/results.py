"""Results on the disk: one JSON file per run, kept in the store, or a file that somebody sent."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from smolpc import files
from smolpc.catalog.reading import did_you_mean
from smolpc.errors import UsageError
from smolpc.schema.bench import BenchResult
from smolpc.store.layout import Store


def keep(store: Store, result: BenchResult) -> Path:
    """Write the result into the store."""
    path = store.benchmarks / f"{result.id}.json"
    write(path, result)
    return path


def write(path: Path, result: BenchResult) -> None:
    """Write the result to a file. Raises SmolpcError where that cannot be."""
    with files.explain_os_errors(path, f"write {path}"):
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_atomic(path, msgspec.json.format(msgspec.json.encode(result), indent=1))


def names(store: Store) -> list[str]:
    """The ids of the results in the store, the oldest first."""
    return sorted(path.stem for path in store.benchmarks.glob("*.json"))


def read(store: Store, text: str) -> BenchResult:
    """The result in a file, in the store by its id (or its beginning), or "last".

    Raises UsageError when there is none, and for a file that is no result of this version.
    """
    path = files.user_path(text)
    if not path.is_file():
        path = store.benchmarks / f"{_id(store, text)}.json"
    try:
        return msgspec.json.decode(path.read_bytes(), type=BenchResult)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{path} is no result of a benchmark",
            why=str(error),
            next_step="smolpc bench --save FILE   (it writes one)",
        ) from error


def kept(store: Store) -> tuple[list[BenchResult], tuple[str, ...]]:
    """All results in the store, the oldest first, and a note for each that cannot be read: one bad
    file, or one of another version, hides nothing else."""
    found, notes = list[BenchResult](), list[str]()
    for name in names(store):
        try:
            found.append(read(store, name))
        except UsageError as error:
            notes.append(str(error))
    return found, tuple(notes)


def gathered(store: Store, texts: Sequence[str]) -> dict[str, list[BenchResult]]:
    """The results of each PC. Each file is a PC of its own, also in a folder; a folder in a folder
    is one PC with several runs. The results of the store are those of this PC, and the same run
    counts once. Raises UsageError."""
    found: dict[str, list[BenchResult]] = {}
    for text in texts:
        path = files.user_path(text)
        if path.is_dir():
            inside = sorted((*path.glob("*.json"), *path.glob("*/*.json")))
            if not inside:
                raise UsageError(
                    f"no results are in {path}",
                    why="results are files that end with .json",
                    next_step="smolpc bench --save FILE   (it writes one)",
                )
            pcs = {str(one): str(one if one.parent == path else one.parent) for one in inside}
        else:
            pcs = {text: str(path) if path.is_file() else ""}
        for one, pc in pcs.items():
            result = read(store, one)
            if not any(result in runs for runs in found.values()):
                found.setdefault(pc, []).append(result)
    return found


def _id(store: Store, text: str) -> str:
    known = names(store)
    if text == "last" and known:
        return known[-1]
    found = [name for name in known if name.startswith(text)]
    if len(found) == 1:
        return found[0]
    if found:
        what = f"several results begin with '{text}'"
    else:
        what = f"there is no result '{text}'{did_you_mean(text, known)}"
    raise UsageError(
        what,
        why=f"the newest are: {', '.join(known[-5:])}" if known else "nothing was measured yet",
        next_step="smolpc bench.history" if known else "smolpc bench",
    )
