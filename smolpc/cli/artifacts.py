"""`artifacts.*`: the engines in the store."""

from __future__ import annotations

from smolpc.cli.app import command, report_removed, report_verified
from smolpc.console import Console, human_bytes

KEY = {"key": "first letters of the key (default: the engine in use)"}


@command("list")
def list_(console: Console, json: bool = False) -> None:
    """List the stored engines, whether they run here and which one is in use."""
    from smolpc import settings
    from smolpc.plan.fitness import unmet
    from smolpc.provision.target import host_for
    from smolpc.schema.report import ArtifactRow, ArtifactsReport
    from smolpc.store import Store, artifacts, generations

    chosen, _ = settings.load()
    store, host = Store(chosen.store_path), host_for(chosen)
    now = generations.current(store)
    rows = []
    for key, artifact in artifacts.readable(store):
        reasons = unmet(artifact.requirements, host) if artifact else []
        rows.append(
            ArtifactRow(
                key=key,
                profile=artifact.profile if artifact else "?",
                engine=f"{artifact.spec.engine} {artifact.spec.version}" if artifact else "?",
                size=artifact.size if artifact else 0,
                current=now is not None and now.artifact == key,
                runs_here=artifact is not None and not reasons,
                state="; ".join(reasons) or "ok" if artifact else "damaged",
            )
        )
    if json:
        console.emit(ArtifactsReport(artifacts=tuple(rows)))
    console.table(
        ("", "key", "profile", "engine", "size", "state"),
        [
            (
                "→" if r.current else "",
                r.key[:16],
                r.profile,
                r.engine,
                human_bytes(r.size),
                r.state,
            )
            for r in rows
        ],
    )
    if not rows:
        console.print("no engine is stored yet: smolpc setup")


@command(first="key", help=KEY)
def show(console: Console, key: str = "", json: bool = False) -> None:
    """Show what an engine was made of: the readable pre-image of its key."""
    from smolpc import settings
    from smolpc.store import Store, artifacts, generations

    chosen, _ = settings.load()
    store = Store(chosen.store_path)
    full = artifacts.find(store, key) if key else generations.require_current(store).artifact
    artifact = artifacts.read(store.artifact(full))
    if json:
        console.emit(artifact)
        return
    console.print(f"key      {artifact.key}   (sha256 of the pre-image below)")
    console.print(f"content  {artifact.content_digest}")
    console.print(f"profile  {artifact.profile}")
    console.print(f"folder   {store.artifact(full)}")
    console.print(f"files    {len(artifact.files)}, {human_bytes(artifact.size)}")
    for name, sentence in (artifact.trust.checks if artifact.trust else {}).items():
        console.print(f"proved   {name}: {sentence}")
    console.print("\npre-image of the key:")
    console.yaml(artifact.spec)


@command(first="key", help={"key": "first letters of a key (default: all)"})
def verify(console: Console, key: str = "", json: bool = False) -> None:  # noqa: ARG001
    """Hash every file of the stored engines and compare with their manifests."""
    from smolpc import settings
    from smolpc.errors import DoNotTrust
    from smolpc.schema.report import Checked
    from smolpc.store import Store, artifacts

    chosen, _ = settings.load()
    store = Store(chosen.store_path)
    checked: list[Checked] = []
    for name in [artifacts.find(store, key)] if key else artifacts.keys(store):
        try:
            artifact = artifacts.open_stored(store, name, whole=True)
            detail, ok = f"{len(artifact.files)} files are as recorded", True
        except DoNotTrust as error:
            detail, ok = error.why or error.what, False
        checked.append(Checked(name=name[:16], ok=ok, detail=detail))
    report_verified(console, checked, kind="engine", next_step="smolpc setup   (it repairs it)")


@command(
    help={
        "dry_run": "only list what would be removed",
        "damaged": "also remove engines whose files were changed (hashes everything)",
        "keep": "earlier setups that stay usable (default: the setting keep_generations)",
    }
)
def gc(
    console: Console,
    dry_run: bool = False,
    damaged: bool = False,
    keep: int = -1,
    json: bool = False,  # noqa: ARG001
) -> None:
    """Remove engines, build trees and downloads that nothing uses. Models stay."""
    from smolpc import files, settings
    from smolpc.store import Store
    from smolpc.store import gc as collector

    chosen, _ = settings.load()
    store = Store(chosen.store_path)
    kept = chosen.keep_generations if keep < 0 else keep
    with files.explain_os_errors(store.root, "clean the store"):
        act = collector.collectable if dry_run else collector.collect
        items = act(store, keep=kept, damaged=damaged)
    report_removed(console, items, dry_run=dry_run)
