"""Who plays: from wishes to players with their settings."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from smolpc.backends.ollama.backend import Ollama as OllamaBackend
from smolpc.bench.players.in_process import InProcess
from smolpc.bench.players.llama_bench import LlamaBench
from smolpc.bench.players.protocol import Player
from smolpc.bench.players.servers import Ollama, OpenAi, OwnServer, model_at
from smolpc.bench.wishes import Wish
from smolpc.errors import PrerequisiteError, TrustError, UsageError
from smolpc.models import lookup, storage
from smolpc.models.headers import header_of
from smolpc.net import NetSettings
from smolpc.provision import running
from smolpc.provision.running import Prepared
from smolpc.provision.target import catalog_for
from smolpc.runtime import memory
from smolpc.schema.artifact import Artifact, ModelRecord
from smolpc.schema.bench import Player as Kind
from smolpc.schema.bench import Variant
from smolpc.schema.host import Host
from smolpc.schema.model import Fill
from smolpc.schema.running import RunSettings
from smolpc.schema.running_report import Running
from smolpc.serve import access
from smolpc.serve.arguments import ServedModel, common, for_one
from smolpc.serve.server import LlamaServer
from smolpc.store import Store, artifacts, generations

TITLES = {"llamacpp": "in process", "llama-server": "llama-server", "llama-bench": "llama-bench"}
CONTEXT = 4096  # tokens: several players are in memory at a time
OWN = ("artifact", "slower")  # what a wish may say besides settings


@dataclass(frozen=True)
class Subject:
    """A stored model, whose file was not changed."""

    prepared: Prepared
    path: Path

    @property
    def record(self) -> ModelRecord:
        return self.prepared.record


class Lineup:
    """Makes players of wishes on this machine. They run the stored `model` ("": that of the last
    setup), or the one that their wish names (`model=NAME`)."""

    def __init__(self, model: str, host: Host) -> None:
        self.host = host
        self.model = model
        self._subjects: dict[str, Subject] = {}  # by the name that was asked for
        self.store = Store(self.subject().prepared.settings.store_path)
        self.context = CONTEXT

    def subject(self, one: Wish | None = None) -> Subject:
        """The model that this wish is about. Raises UsageError for one that is not here, TrustError
        for changed bytes."""
        named = one is not None and one.kind != "openai"  # a server has models of its own
        name = one.changes.get("model", self.model) if one and named else self.model
        if name not in self._subjects:
            prepared = running.prepare({"model": name} if name else {})
            store = Store(prepared.settings.store_path)
            path = storage.verified(store.models, prepared.record)
            self._subjects[name] = Subject(prepared, path)
        return self._subjects[name]

    def files(self) -> dict[str, Path]:
        """The files of all models that were asked for, by digest."""
        return {one.record.sha256: one.path for one in self._subjects.values()}

    def fills(self, players: Sequence[Player]) -> dict[str, Fill]:
        """How players are asked to fill a gap, by name, where a manifest says it of their file. Of
        a server that does not tell its file, that of the model here is taken."""
        known = catalog_for(self.subject().prepared.settings).models.values()
        marks = {one.file.sha256: one.fill for one in known if one.fill is not None}
        own = self.subject().record.sha256
        found = {one.variant.name: marks.get(one.variant.model_sha256 or own) for one in players}
        return {name: fill for name, fill in found.items() if fill is not None}

    def plain(self, players: Sequence[Player]) -> set[str]:
        """The names of players whose model has no chat template. Of a server that does not tell
        its file, that of the model here is taken."""
        files = self.files()
        bare = {
            digest
            for digest, path in files.items()
            if "tokenizer.chat_template" not in header_of(path, NetSettings(offline=True)).metadata
        }
        own = self.subject().record.sha256
        return {one.variant.name for one in players if (one.variant.model_sha256 or own) in bare}

    def players(self, wanted: Sequence[Wish], parallel: int = 1) -> tuple[list[Player], int]:
        """Who plays, and how many bytes of memory they take together. `parallel`: answers that our
        own server must give at a time. Raises UsageError, PrerequisiteError or TrustError for one
        that cannot play."""
        made = [self._player(one, parallel) for one in wanted]
        return [player for player, _ in made], sum(needed for _, needed in made)

    def _player(self, one: Wish, parallel: int) -> tuple[Player, int]:
        if one.kind == "openai":
            return self._server(one), 0
        if one.kind == "ollama":
            return self._ollama(one), 0
        folder, artifact = self._artifact(one.changes.get("artifact", ""))
        chosen, path = self._running(one, parallel), self.subject(one).path
        settings = chosen.settings
        variant = self._variant(one, one.kind, TITLES[one.kind], chosen=chosen, artifact=artifact)
        if one.kind == "llama-bench":  # it loads the model for each answer, and leaves
            return LlamaBench(variant, _program(folder, "llama-bench"), path, settings), 0
        needed = memory.needed(path, settings.memory)
        if one.kind == "llamacpp":
            return InProcess(variant, folder, path, settings), needed
        program = _program(folder, "llama-server")
        draft = self._draft(settings)
        served = ServedModel(name=variant.model, path=path, settings=settings, draft=draft)
        server = OwnServer(variant, lambda: LlamaServer(program, [*for_one(served), *common()]))
        return server, needed

    def _running(self, one: Wish, parallel: int) -> Running:
        """The settings that `run` would use with these changes, in a context that leaves room for
        the other players."""
        changes = {name: value for name, value in one.changes.items() if name not in OWN}
        prepared = running.prepare({**changes, "model": self.subject(one).record.name})
        found = running.explain(prepared, self.host).running
        if one.used:
            return msgspec.structs.replace(found, settings=_as_before(one.used, found.settings))
        fit = found.settings.memory
        if fit.context > self.context and "context" not in changes:
            fit = msgspec.structs.replace(fit, context=self.context)
        if one.kind == "llama-server" and parallel > 1:  # each answer gets the whole context
            whole = fit.context * parallel
            fit = msgspec.structs.replace(fit, sequences=parallel, context=whole)
        settings: RunSettings = msgspec.structs.replace(found.settings, memory=fit)
        return msgspec.structs.replace(found, settings=settings)

    def _draft(self, settings: RunSettings) -> Path | None:
        """The file of the draft model, where one is named."""
        if not settings.draft_model:
            return None
        models, known = self.store.models, catalog_for(self.subject().prepared.settings).models
        record = lookup.require_installed(models, settings.draft_model, known.values())
        return storage.verified(models, record)

    def _server(self, one: Wish) -> Player:
        """A server that runs already, whoever started it."""
        key = access.own_key()
        model = one.changes.get("model") or model_at(one.url, key, self.subject().record.name)
        return OpenAi(self._variant(one, "openai", one.url, url=one.url, model=model), key)

    def _artifact(self, key: str) -> tuple[Path, Artifact]:
        """The engine whose key begins so, every file hashed ("": that of the last setup)."""
        found = key or generations.require_current(self.store).artifact
        if key:
            found = artifacts.find(self.store, key)
        return self.store.artifact(found), artifacts.open_stored(self.store, found)

    def _variant(
        self,
        one: Wish,
        kind: str,
        title: str,
        *,
        chosen: Running | None = None,
        artifact: Artifact | None = None,
        url: str = "",
        engine: str = "",
        model: str = "",
        sha256: str = "",
    ) -> Variant:
        parts = [f"{name} {value}" for name, value in one.changes.items()]
        parts += [f"no. {one.again + 1}"] * bool(one.again)
        record = self.subject(one).record
        own = kind not in ("openai", "ollama")
        return Variant(
            name=", ".join([title, *parts]),
            wish=one.text,
            player=msgspec.convert(kind, Kind),
            model=model or record.name,
            model_sha256=record.sha256 if own else sha256,
            engine=f"{artifact.spec.engine} {artifact.spec.version}" if artifact else engine,
            artifact=artifact.key if artifact else "",
            url=url,
            settings=_used(chosen.settings) if chosen else {},
            reasons=chosen.reasons if chosen else (),
            slower=_slower(one),
        )

    def _ollama(self, one: Wish) -> Player:
        """Raises TrustError when Ollama's file is another one: that would compare files."""
        prepared = self.subject(one).prepared
        record = prepared.record
        known = catalog_for(prepared.settings).models.values()
        names = lookup.names_of(record.name, record.sha256, known)
        backend = OllamaBackend(other_names=lambda _: (*prepared.names, *names))
        problem = backend.available()
        if problem is not None:
            raise PrerequisiteError(
                "Ollama does not answer", why=problem.what, next_step="start it: ollama serve"
            )
        found = backend.resolve(record.name)
        if found.sha256 and found.sha256 != record.sha256:
            raise TrustError(
                f"Ollama's {found.name} is another file than {record.name}",
                why="a comparison of two files says nothing about the programs",
                next_step=f"smolpc models.import-ollama {found.name}   (then bench that one)",
            )
        variant = self._variant(
            one,
            "ollama",
            "Ollama",
            url=backend.address,
            engine=backend.version,
            model=found.name,
            sha256=found.sha256,
        )
        return Ollama(variant, self.context)


def _slower(one: Wish) -> float:
    """By how much a player shall be slowed down, as a share of the time of each token."""
    text = one.changes.get("slower")
    if text is None:
        return 0.0
    with contextlib.suppress(ValueError):
        if one.kind == "llamacpp" and 0 <= float(text) <= 10:
            return float(text)
    raise UsageError(
        f"'slower={text}' cannot be had of {one.kind}",
        why="it is a share of the time of each token, 0 to 10, and only llamacpp knows it",
        next_step='smolpc bench --players "llamacpp, llamacpp:slower=0.05"',
    )


def _program(folder: Path, name: str) -> Path:
    found = next(iter(sorted((folder / "bin").glob(f"{name}*"))), None)
    if found is None:
        raise PrerequisiteError(
            f"this engine has no {name}",
            why=f"{folder.name[:12]} was packaged without it",
            next_step="smolpc setup --refresh",
        )
    return found


def _as_before(used: Mapping[str, Any], planned: RunSettings) -> RunSettings:
    """The settings of an earlier run (`_used`); what it did not write down is as `planned`.

    Raises UsageError for values that are no settings.
    """
    flat: dict[str, Any] = msgspec.to_builtins(planned)
    fit = flat.pop("memory")
    fit |= {name: value for name, value in used.items() if name in fit and name not in flat}
    flat |= {name: value for name, value in used.items() if name in flat}
    try:
        return msgspec.convert({**flat, "memory": fit}, RunSettings)
    except msgspec.ValidationError as error:
        raise UsageError(
            "the settings of that run cannot be used", why=str(error), next_step="smolpc bench"
        ) from error


def _used(settings: RunSettings) -> dict[str, Any]:
    """The settings as they are used, in one level."""
    found: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(settings))
    return {**found.pop("memory"), **found}
