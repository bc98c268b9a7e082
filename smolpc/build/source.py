"""The pinned engine source, from the first of its sources that answers.

Whatever the source, the same bytes: the archive or commit is verified first, then the
unpacked tree against the recipe's `tree_sha256`, then the bindings file by file.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from smolpc import files, proc
from smolpc.console import Reporter
from smolpc.errors import NetworkError, PrerequisiteError, TrustError, UsageError
from smolpc.schema.base import Value, digest_of
from smolpc.schema.engine import ArchiveSource, EngineRecipe, GitSource, SdistSource, Source
from smolpc.settings import Settings
from smolpc.store import Store

if TYPE_CHECKING:
    from smolpc import net, pypi

SIZED = (SdistSource, ArchiveSource)
LICENSE = "LICENSE"  # of the bindings, beside them
NOT_SOURCE = (".git",)


class Tree(Value, kw_only=True):
    """An unpacked, verified and patched source in the store."""

    root: Path

    @property
    def engine(self) -> Path:
        return self.root / "engine"

    @property
    def bindings(self) -> Path:
        return self.root / "bindings"


def tree_of(store: Store, recipe: EngineRecipe) -> Tree:
    """Where the source of a recipe is or will be; other patches or bindings make another tree."""
    patches = [patch.sha256 for patch in recipe.patches]
    name = digest_of([recipe.tree_sha256, recipe.bindings, patches])
    return Tree(root=store.sources / f"{recipe.name}-{name[:16]}")


def fetch(
    store: Store,
    recipe: EngineRecipe,
    recipe_file: Path,
    *,
    settings: Settings,
    index: pypi.Settings,
    reporter: Reporter,
) -> Tree:
    """Fetch, verify, unpack and patch the source, if it is not there yet.

    Sources are tried in order; an unreachable one is reported and the next one tried, a
    wrong digest stops at once. Raises NetworkError, TrustError, SpaceError, UsageError.
    """
    tree = tree_of(store, recipe)
    if files.is_sealed(tree.root):
        return tree
    files.remove_tree(tree.root)
    store.sources.mkdir(parents=True, exist_ok=True)
    store.downloads.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=store.tmp, prefix="source-") as name:
        made = Tree(root=Path(name) / "tree")
        made.root.mkdir()
        sources = _candidates(recipe, settings)
        _collect(Path(name), made, store, recipe, sources, index, reporter)
        _check(made, recipe)
        _patch(made, recipe, recipe_file.parent)
        files.publish(made.root, tree.root)
    files.seal(tree.root)
    for path in packed_files(store, recipe):
        path.unlink(missing_ok=True)
    return tree


def packed_files(store: Store, recipe: EngineRecipe) -> list[Path]:
    """Where archives of the recipe are downloaded to."""
    names = [
        source.filename if isinstance(source, SdistSource) else source.url
        for source in recipe.sources
        if not isinstance(source, GitSource)
    ]
    return [store.downloads / Path(name).name for name in names]


def _collect(
    scratch: Path,
    made: Tree,
    store: Store,
    recipe: EngineRecipe,
    sources: Iterator[Source],
    index: pypi.Settings,
    reporter: Reporter,
) -> None:
    """Fill `made.engine` and, where the recipe has bindings, `made.bindings`."""
    attempts: list[str] = []
    for source in sources:
        if made.engine.exists() and not source.bindings:
            continue
        try:
            unpacked = _unpack(scratch, source, store, index, reporter)
        except (NetworkError, PrerequisiteError) as error:
            attempts.append(f"{_describe(source)}: {error}")
            reporter.note(
                f"! {_describe(source)} did not work ({error.what}); trying the next source"
            )
            continue
        if not made.engine.exists():
            (unpacked / source.engine).rename(made.engine)
        if source.bindings and recipe.bindings:
            (unpacked / source.bindings).rename(made.bindings)
            if recipe.bindings.license_file:
                (unpacked / recipe.bindings.license_file).rename(made.bindings / LICENSE)
        if made.bindings.exists() or not recipe.bindings:
            return
    raise NetworkError(
        f"the source of {recipe.name} {recipe.version} could not be fetched",
        why="; ".join(attempts),
        next_step="check the connection ('smolpc doctor'), or give a local copy of the pinned"
        " archive: SMOLPC_ENGINE_SOURCE=/path/to/archive smolpc setup",
    )


def _candidates(recipe: EngineRecipe, settings: Settings) -> Iterator[Source]:
    """The user's own copy first, then the recipe's sources in order."""
    if settings.engine_source:
        yield _local(files.user_path(settings.engine_source), recipe)
    yield from recipe.sources


def _local(path: Path, recipe: EngineRecipe) -> Source:
    """The pinned source that a local archive is, recognised by its digest."""
    if path.is_dir():
        return ArchiveSource(url=str(path), sha256=recipe.tree_sha256)
    if not path.is_file():
        raise UsageError(
            f"the engine source {path} does not exist",
            why="the setting engine_source names it",
            next_step="smolpc config.show",
        )
    digest = files.sha256_file(path)
    for source in recipe.sources:
        if isinstance(source, SdistSource | ArchiveSource) and source.sha256 == digest:
            return ArchiveSource(
                url=str(path), sha256=digest, engine=source.engine, bindings=source.bindings
            )
    raise TrustError(
        f"{path} is not a pinned source of {recipe.name} {recipe.version}",
        why=f"its sha256 is {digest}, which no source of the recipe has",
        next_step="download the file that 'smolpc config.show --engine' names, or unset"
        " SMOLPC_ENGINE_SOURCE",
    )


def _describe(source: Source) -> str:
    if isinstance(source, SdistSource):
        return f"{source.filename} from the package index"
    return proc.mask(source.url)


def _unpack(
    scratch: Path, source: Source, store: Store, index: pypi.Settings, reporter: Reporter
) -> Path:
    """The top folder of the source, unpacked below `scratch`."""
    from smolpc import archive, net, pypi

    into = scratch / digest_of(source)[:8]
    if isinstance(source, GitSource):
        return _clone(into, source, index.net, reporter)
    if isinstance(source, SdistSource):
        packed = store.downloads / source.filename
        pypi.fetch(
            source.project,
            source.filename,
            sha256=source.sha256,
            size=source.size,
            target=packed,
            settings=index,
            reporter=reporter,
        )
    elif Path(source.url).is_dir():
        reporter.note(f"copying {source.url}")
        shutil.copytree(source.url, into, symlinks=True, ignore=shutil.ignore_patterns(*NOT_SOURCE))
        return into
    else:
        packed = store.downloads / Path(source.url).name
        net.download(
            source.url,
            packed,
            sha256=source.sha256,
            size=source.size,
            title=f"Get {packed.name}",
            settings=index.net,
            reporter=reporter,
        )
    archive.extract(packed, into, reporter=reporter)
    inside = list(into.iterdir())
    return inside[0] if len(inside) == 1 and inside[0].is_dir() else into


def _clone(into: Path, source: GitSource, settings: net.NetSettings, reporter: Reporter) -> Path:
    if settings.offline:
        raise NetworkError(
            "git was not asked", why="offline is set", next_step="smolpc config.show"
        )
    into.mkdir()
    env = {"GIT_TERMINAL_PROMPT": "0", "GIT_DIR": None, "GIT_WORK_TREE": None, "LC_ALL": "C"}
    git = ("git", "-c", "core.autocrlf=false", "-c", "advice.detachedHead=false")
    with reporter.task(f"git fetch {proc.mask(source.url)}"):
        for step in (
            ("init", "--quiet"),
            ("fetch", "--quiet", "--depth", "1", source.url, source.commit),
            ("checkout", "--quiet", source.commit),
        ):
            result = proc.run([*git, *step], cwd=into, env=env, timeout=1800)
            if not result.ok:
                raise NetworkError(
                    f"git {step[0]} failed for {proc.mask(source.url)}",
                    why=proc.mask(result.tail(3)),
                    next_step="smolpc doctor",
                )
    return into


def _check(made: Tree, recipe: EngineRecipe) -> None:
    """Remove version-control leftovers, then compare with the recipe's digests."""
    for name in NOT_SOURCE:
        path = made.engine / name
        if path.is_dir() and not path.is_symlink():
            files.remove_tree(path)
        else:
            path.unlink(missing_ok=True)
    found = files.tree_digest(made.engine)
    if found != recipe.tree_sha256:
        raise TrustError(
            f"the unpacked source of {recipe.name} {recipe.version} is not the pinned one",
            why=f"its tree digest is {found}, the recipe says {recipe.tree_sha256}",
            next_step="do not build it; compare the recipe with its origin, or try another source",
        )
    for name, wanted in (recipe.bindings.files if recipe.bindings else {}).items():
        path = made.bindings / name
        digest = files.sha256_file(path) if path.is_file() else "missing"
        if digest != wanted:
            raise TrustError(
                f"the bindings file {name} is not the pinned one",
                why=f"its sha256 is {digest}, the recipe says {wanted}",
                next_step="do not use it; compare the recipe with its origin",
            )


def _patch(made: Tree, recipe: EngineRecipe, folder: Path) -> None:
    """Apply the recipe's patches in order, each verified first."""
    for patch in recipe.patches:
        path = folder / patch.file
        if not path.is_file() or files.sha256_file(path) != patch.sha256:
            raise TrustError(
                f"the patch {patch.file} is missing or not the pinned one",
                why=f"the recipe {recipe.name} expects sha256 {patch.sha256}",
                next_step=f"restore {path}",
            )
        import patch_ng

        parsed = patch_ng.fromfile(str(path))
        if not parsed or not parsed.apply(strip=1, root=str(made.engine)):
            raise UsageError(
                f"the patch {patch.file} does not apply to {recipe.name} {recipe.version}",
                why=patch.why,
                next_step=f"update {path} for this version",
            )
