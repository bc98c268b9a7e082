"""`profiles.*`: which hardware profiles there are, which fits, and what it builds."""

from __future__ import annotations

from smolpc.cli.app import command
from smolpc.console import Console

PROFILE = {"name": "name of a profile, as in profiles.list"}


@command("list", help={"all": "also those that do not fit this machine"})
def list_(console: Console, json: bool = False, all: bool = False) -> None:  # noqa: A002
    """List the hardware profiles: which fit this machine, which one is chosen."""
    from smolpc import settings
    from smolpc.plan.select import explain, rank
    from smolpc.provision.missing_tools import with_obtainable
    from smolpc.provision.target import catalog_for, host_for
    from smolpc.schema.report import ProfileRow, ProfilesReport

    chosen, _ = settings.load()
    catalog = catalog_for(chosen)
    host = with_obtainable(chosen, catalog, host_for(chosen))
    recipe = catalog.engine(chosen.engine)
    ranked = rank(catalog.profiles, host, recipe)
    rows = tuple(
        ProfileRow(
            name=verdict.profile,
            summary=catalog.profiles[verdict.profile].summary,
            fits=verdict.fits,
            chosen=place == 0 and verdict.eligible,
            why=explain(verdict.profile, catalog.profiles, host, recipe),
        )
        for place, verdict in enumerate(ranked)
    )
    if json:
        console.emit(ProfilesReport(profiles=rows))
    shown = [row for row in rows if all or row.fits]
    console.table(
        ("", "profile", "summary"),
        [("→" if r.chosen else "✓" if r.fits else "✗", r.name, r.summary) for r in shown],
    )
    if len(shown) < len(rows):
        console.print(f"\n{len(rows) - len(shown)} more do not fit this machine: add --all")


@command(help=PROFILE)
def show(console: Console, name: str, json: bool = False) -> None:
    """Show a profile as YAML, with everything it inherits."""
    from smolpc import settings
    from smolpc.provision.target import catalog_for
    from smolpc.schema.report import ProfileReport

    chosen, _ = settings.load()
    catalog = catalog_for(chosen)
    profile = catalog.profile(name)
    source = str(catalog.source("profiles", name))
    if json:
        console.emit(ProfileReport(source=source, profile=profile))
    console.print(f"# {source}")
    console.yaml(profile)


@command(help=PROFILE)
def why(console: Console, name: str, json: bool = False) -> None:
    """Say in one sentence why a profile was or was not chosen for this machine."""
    from smolpc import settings
    from smolpc.plan.select import explain, rank
    from smolpc.provision.missing_tools import with_obtainable
    from smolpc.provision.target import catalog_for, host_for
    from smolpc.schema.report import ProfileRow, WhyReport

    chosen, _ = settings.load()
    catalog = catalog_for(chosen)
    host = with_obtainable(chosen, catalog, host_for(chosen))
    profile = catalog.profile(name)
    recipe = catalog.engine(chosen.engine)
    sentence = explain(name, catalog.profiles, host, recipe)
    if json:
        ranked = rank(catalog.profiles, host, recipe)
        row = ProfileRow(
            name=name,
            summary=profile.summary,
            fits=any(verdict.fits for verdict in ranked if verdict.profile == name),
            chosen=ranked[0].profile == name and ranked[0].eligible,
            why=sentence,
        )
        console.emit(WhyReport(profile=row))
    console.print(sentence)


@command(help={**PROFILE, "out": "folder for the files (default: print them)"})
def render(console: Console, name: str, out: str = "", json: bool = False) -> None:
    """Write CMakePresets.json (and a toolchain file where needed) for use by hand."""
    from pathlib import Path

    from smolpc import files, settings
    from smolpc.plan import render as rendering
    from smolpc.plan.requirements import build_target
    from smolpc.provision.target import catalog_for, host_for
    from smolpc.schema.report import FilesReport

    chosen, _ = settings.load()
    catalog, host = catalog_for(chosen), host_for(chosen)
    recipe = catalog.engine(chosen.engine)
    target = build_target(catalog.profile(name), host, recipe)
    texts = rendering.files(target, recipe, catalog.template)
    if json:
        console.emit(FilesReport(files=texts))
        return
    if not out:
        for filename, text in texts.items():
            console.print(f"# {filename}\n{text}")
        return
    folder = Path(out)
    with files.explain_os_errors(folder, f"write to {folder}"):
        for filename, text in texts.items():
            files.write_atomic(folder / filename, text.encode())
            console.print(f"wrote {folder / filename}")
    console.print(
        "next: copy them into the llama.cpp folder, CMakePresets.json under the name"
        f" CMakeUserPresets.json (llama.cpp has presets of its own), then: cmake --preset {name}"
    )
