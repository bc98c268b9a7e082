"""A kept run once more, with the same inputs, to see how well it is reproduced."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import msgspec

from smolpc.bench import between, conduct, wishes
from smolpc.bench.lineup import Lineup
from smolpc.bench.wishes import Wish
from smolpc.console import Reporter
from smolpc.errors import TrustError, UsageError
from smolpc.models import download, lookup
from smolpc.provision.target import catalog_for
from smolpc.schema.bench import Answer, BenchResult, Comparison, Limit, Summary, Variant
from smolpc.schema.tuning import fingerprint
from smolpc.settings import Settings
from smolpc.store import Store, artifacts

T = TypeVar("T", Answer, Summary, Limit, Comparison)


def again(
    old: BenchResult, line: Lineup, *, seconds: float, reporter: Reporter
) -> tuple[BenchResult, tuple[Comparison, ...], tuple[str, ...]]:
    """The new result, each figure of it against the old one, and notes.

    Questions, players, engines and the order of the blocks are those of `old`, and so are the
    settings on the same kind of machine; another one chooses its own. Raises TrustError when the
    model is another file, UsageError when an engine is no longer here.
    """
    wanted = wishes.numbered([_wish(one, line, old) for one in old.variants])
    new = conduct.bench(
        line,
        wanted,
        old.scenarios,
        seconds=seconds,
        seed=old.seed,
        full=old.full,
        pinned=old.pinned,
        reporter=reporter,
    )
    named = _named(new, old.variants)
    comparisons, notes = between.compare(old, named)
    return named, comparisons, (*notes, *_changed(old.variants, named.variants))


def model_of(old: BenchResult, store: Store, settings: Settings, reporter: Reporter) -> str:
    """The model that was measured, by its name in the store; it is fetched where it is not here.

    Raises UsageError when nobody knows from where, and what `download.pull` raises.
    """
    if not old.variants:
        raise UsageError(f"the result {old.id} is empty", next_step="smolpc bench")
    own = [one for one in old.variants if one.artifact] or [old.variants[0]]
    here = {one.name: _here(one, store, settings, reporter) for one in own}
    usual = [one for one in own if "model" not in wishes.wish(one.wish or one.player).changes]
    return here[(usual or own)[0].name]


def _here(variant: Variant, store: Store, settings: Settings, reporter: Reporter) -> str:
    """The name in the store of the model that this variant ran."""
    if lookup.installed(store.models, variant.model) is not None:
        return variant.model
    known = catalog_for(settings).models.values()
    manifest = next((one for one in known if one.file.sha256 == variant.model_sha256), None)
    if manifest is None:
        raise UsageError(
            f"the model {variant.model} is not here, and no manifest has its file",
            why=f"its sha256 is {variant.model_sha256[:16]}",
            next_step="smolpc models.add FILE-OR-ADDRESS   (then pull it, and try again)",
        )
    return download.pull(manifest, store, settings, reporter=reporter).name


def _wish(variant: Variant, line: Lineup, old: BenchResult) -> Wish:
    wish = wishes.wish(variant.wish or variant.player)
    if old.fingerprint == fingerprint(line.host):
        wish = msgspec.structs.replace(wish, used=variant.settings)
    record = line.subject(wish).record
    if variant.model_sha256 and variant.model_sha256 != record.sha256:
        raise TrustError(
            f"{record.name} is another file than the one that was measured",
            why=f"{variant.name} ran {variant.model} with sha256 {variant.model_sha256[:16]}",
            next_step=f"smolpc models.pull {variant.model}",
        )
    if not variant.artifact or "artifact" in wish.changes:
        return wish
    if variant.artifact not in artifacts.keys(line.store):
        raise UsageError(
            f"the engine {variant.artifact[:12]} of {variant.name} is not in the store",
            why=f"it was {variant.engine}",
            next_step="smolpc bench   (with the engine of today)",
        )
    return msgspec.structs.replace(wish, changes={**wish.changes, "artifact": variant.artifact})


def _named(new: BenchResult, before: Sequence[Variant]) -> BenchResult:
    """The new result under the names that the variants had: the engine's key was added to them."""
    names = {one.name: old.name for one, old in zip(new.variants, before, strict=True)}
    variants = tuple(
        msgspec.structs.replace(one, name=old.name, wish=old.wish)
        for one, old in zip(new.variants, before, strict=True)
    )
    return msgspec.structs.replace(
        new,
        variants=variants,
        answers=tuple(_called(one, names) for one in new.answers),
        summaries=tuple(_called(one, names) for one in new.summaries),
        limits=tuple(_called(one, names) for one in new.limits),
        comparisons=tuple(
            msgspec.structs.replace(_called(one, names), base=names[one.base])
            for one in new.comparisons
        ),
    )


def _called(one: T, names: dict[str, str]) -> T:
    return msgspec.structs.replace(one, variant=names[one.variant])


def _changed(before: Sequence[Variant], after: Sequence[Variant]) -> list[str]:
    """Settings that are others than they were."""
    notes = []
    for old, new in zip(before, after, strict=True):
        names = sorted(old.settings.keys() | new.settings.keys())
        changed = [
            f"{name} {old.settings.get(name)} -> {new.settings.get(name)}"
            for name in names
            if old.settings.get(name) != new.settings.get(name)
        ]
        if changed:
            notes.append(f"{old.name} ran with other settings: {', '.join(changed)}")
        if old.engine != new.engine:
            notes.append(f"{old.name} has another version: {old.engine} -> {new.engine}")
    return notes


def words(comparisons: Sequence[Comparison]) -> str:
    """How well it was reproduced, in one sentence."""
    known = [one for one in comparisons if one.verdict != "unknown"]
    if not known:
        return "Whether it is reproduced cannot be said: too few blocks count."
    same = sum(one.verdict == "parity" for one in known)
    if same == len(known):
        return f"Reproduced: all {same} figures agree within the noise."
    return f"{same} of {len(known)} figures agree within the noise; the others differ."
