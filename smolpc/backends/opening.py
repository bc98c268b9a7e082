"""The backends of this machine, and the order in which they are tried."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from smolpc.backends.in_process import InProcess
from smolpc.backends.llama_server import LlamaServerBackend
from smolpc.backends.ollama import Ollama
from smolpc.backends.protocol import LLAMA_SERVER, LLAMACPP, OLLAMA, ORDER, Backend, canonical
from smolpc.backends.started import StartedServer
from smolpc.catalog.families import key_of
from smolpc.catalog.reading import did_you_mean
from smolpc.console import Reporter
from smolpc.errors import SmolpcError, UsageError
from smolpc.models import lookup
from smolpc.net import NetSettings
from smolpc.provision.target import catalog_for
from smolpc.runtime.choosing import sampling_for
from smolpc.schema.backends import BackendModel, BackendState, Problem
from smolpc.schema.running import Sampling
from smolpc.serve.access import own_key
from smolpc.settings import Config, Settings
from smolpc.store import Store, generations

AUTO = "auto"
Names = Callable[[str], tuple[str, ...]]


def order_of(text: str) -> tuple[str, ...]:
    """What the setting `backend` means: names, best first; "auto" is all. Raises UsageError."""
    if text.strip().lower() in ("", AUTO):
        return ORDER
    found = []
    for word in text.replace(",", " ").split():
        name = canonical(word)
        if name not in ORDER:
            raise UsageError(
                f"there is no backend '{word}'{did_you_mean(name, list(ORDER))}",
                why=f"backends are: {', '.join(ORDER)}, or {AUTO}",
                next_step="smolpc backends.list",
            )
        found.append(name)
    return tuple(dict.fromkeys(found))


def order_for(config: Config, names: Names) -> Callable[[str], Sequence[str]]:
    """The order for each model: one may have a backend of its own in the settings."""

    def order(model: str) -> Sequence[str]:
        # Reading the registry takes a moment: only where it can say something.
        known = names(model) if config.has_models else (model,)
        return order_of(config.for_model(known)[0].backend)

    return order


def names_of(chosen: Settings) -> Names:
    """Every name of a model, by any of them, the name itself first; of "": of the default."""

    @functools.cache
    def names(model: str) -> tuple[str, ...]:
        store = Store(chosen.store_path)
        manifests = tuple(catalog_for(chosen).models.values())
        model = model or chosen.model
        if not model:
            now = generations.current(store)
            return lookup.names_of(now.model_name, now.model, manifests) if now else ()
        record = lookup.installed(store.models, model, manifests)
        if record is not None:
            return (model, *lookup.names_of(record.name, record.sha256, manifests))
        key = key_of(model)
        same = (one for one in manifests if key in map(key_of, (one.name, *one.aliases)))
        return (model, *(name for one in same for name in (one.name, *one.aliases)))

    return names


def sampling_here(
    backends: Mapping[str, Backend], config: Config, names: Names, model: str
) -> tuple[Sampling, tuple[str, ...]]:
    """How tokens are chosen for `model`, and notes about values that cannot be used.

    What an imported model brought along counts where smolpc has it; a model that only another
    backend has follows the settings alone.
    """
    own = backends[LLAMACPP]
    # What is wrong here is said when that backend is asked for the answer.
    with contextlib.suppress(SmolpcError):
        if isinstance(own, InProcess):
            prepared = own.prepare(model)
            return sampling_for(prepared.report)[0], prepared.notes
    return sampling_for(config.for_model(names(model))[1])[0], ()


def state_of(backend: Backend, order: Sequence[str]) -> BackendState:
    """What `backends.list` tells about one. Starts and loads nothing."""
    problem, models = backend.available(), tuple[BackendModel, ...]()
    if problem is None:
        try:
            models = backend.models()
        except SmolpcError as error:
            problem = Problem.of(error)
    return BackendState(
        name=backend.name,
        rank=order.index(backend.name) + 1 if backend.name in order else 0,
        version="" if problem else backend.version,
        address=backend.address,
        models=models,
        problem=problem,
    )


def open_backends(
    config: Config,
    command_line: Mapping[str, Any],
    reporter: Reporter,
    *,
    allow_cpu_fallback: bool = False,
) -> dict[str, Backend]:
    """All of them, by name. Nothing is loaded, started or asked for it. `allow_cpu_fallback` as
    in Engine."""
    chosen = config.settings
    names = names_of(chosen)
    net = NetSettings.from_environment(offline=chosen.offline)
    own = InProcess(command_line, reporter, allow_cpu_fallback=allow_cpu_fallback)
    server: Backend = StartedServer(own, command_line, reporter)
    if chosen.server:
        server = LlamaServerBackend.at(chosen.server, own_key(), other_names=names, net=net)
    ollama = Ollama(
        context=chosen.context,
        other_names=names,
        net=net,
    )
    return {LLAMACPP: own, LLAMA_SERVER: server, OLLAMA: ollama}
