"""`version`: of smolpc and of the engine it pins."""

from __future__ import annotations

from smolpc.cli.app import command
from smolpc.console import Console


@command()
def version(console: Console, json: bool = False) -> None:
    """Print the versions of smolpc, Python and the pinned engine."""
    import platform

    from smolpc import __version__, settings
    from smolpc.provision.target import catalog_for
    from smolpc.schema.report import VersionReport

    chosen, _ = settings.load()
    recipe = catalog_for(chosen).engine(chosen.engine)
    if json:
        console.emit(
            VersionReport(
                smolpc=__version__,
                python=platform.python_version(),
                engine=recipe.name,
                engine_version=recipe.version,
                engine_commit=recipe.commit,
            )
        )
    console.print(
        f"smolpc {__version__} (Python {platform.python_version()}), "
        f"{recipe.name} {recipe.version} ({recipe.commit[:10]})"
    )
