"""A model file that is on this machine becomes a model of smolpc: proved, stored, registered.

The order is the promise. The file is brought under a temporary name, hashed, loaded by the
engine in a child process, and only then it appears in the store and in the registry. After
a failure nothing of it is left.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

from smolpc.catalog import Catalog
from smolpc.console import Reporter
from smolpc.errors import TrustError
from smolpc.models import adopt, registry, storage
from smolpc.provision.target import host_for
from smolpc.runtime import load_test, session
from smolpc.schema.artifact import Artifact, ModelRecord, TrustResult
from smolpc.schema.host import Host
from smolpc.schema.model import ModelManifest
from smolpc.settings import Settings
from smolpc.store import Store, gc

Register = Callable[[ModelManifest], Path]


def importer_for(settings: Settings, catalog: Catalog, reporter: Reporter) -> Importer:
    """What brings models into this user's store and declares them in this user's recipes."""
    register = functools.partial(registry.write, catalog=catalog, force=True)
    store, host = Store(settings.store_path), host_for(settings)
    return Importer(store, host, register, reporter, licenses=settings.licenses)


class Importer:
    """Brings models into one store with its current engine, which is verified once.

    `licenses` is the setting: which licence ids are allowed here ("": all). Raises
    PrerequisiteError when nothing is set up: without an engine nothing can be proved.
    """

    def __init__(
        self,
        store: Store,
        host: Host,
        register: Register,
        reporter: Reporter,
        *,
        licenses: str = "",
    ) -> None:
        self.store, self.host, self.register, self.reporter = store, host, register, reporter
        self.licenses = licenses
        self.folder: Path
        self.artifact: Artifact
        self.folder, self.artifact = session.current_artifact(store, host)

    def bring_in(
        self,
        manifest: ModelManifest,
        path: Path,
        *,
        source: str,
        register: bool = True,
        how: str = "link",
        verified: bool = False,
        next_step: str = "smolpc models.list",
    ) -> tuple[ModelRecord, TrustResult | None]:
        """Store the file `path` as `manifest` and register it, unless the registry has it
        (`register` False). Returns the record, and the load test's result when one was made
        (a file that was here already has passed it).

        `verified`: the caller has just hashed a file that nobody else writes to. `next_step`
        is what to do when the load test does not pass. Raises TrustError, SpaceError, and
        UsageError for a licence that is not allowed here.
        """
        registry.require_licence(manifest, self.licenses)
        tested: list[TrustResult] = []

        def check(here: Path) -> None:
            tested.append(self.load_test(here, manifest.name, next_step))

        record = adopt.adopt(
            self.store.models,
            manifest,
            path,
            source,
            how=how,
            check=check,
            verified=verified,
            reporter=self.reporter,
        )
        if register:
            try:
                self.register(manifest)
            except BaseException:
                if tested:  # it came with this call
                    storage.remove(self.store.models, record)
                raise
        return record, tested[0] if tested else None

    def load_test(self, path: Path, name: str, next_step: str) -> TrustResult:
        """Try the model in a child process. Raises TrustError unless it passed."""
        with (
            gc.in_use(self.store, self.artifact.key),
            self.reporter.task(f"load test of {name}"),
        ):
            result = load_test.can_load(
                self.folder, self.artifact, path, memory_available=self.host.memory.available
            )
        if result.verdict != "passed":
            unclear = result.verdict == "inconclusive"
            raise TrustError(
                f"{name} could not be tested"
                if unclear
                else f"the engine cannot use the model {name}",
                why=result.error,
                next_step="close other programs, then run the same command again"
                if unclear
                else next_step,
            )
        return result
