"""The prompt reuse of one loaded model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smolpc import settings
from smolpc.runtime.prefix import state
from smolpc.runtime.prefix.key import StateKey
from smolpc.runtime.prefix.reuse import PrefixReuse
from smolpc.runtime.prefix.shelf import Shelf

if TYPE_CHECKING:
    from smolpc.runtime.loaded import Loaded

FOLDER = "prompts"  # in the user's cache folder: the files hold what was said


def prefix_for(loaded: Loaded) -> PrefixReuse:
    """Reuse as the model's settings say: with files unless they are switched off, or nobody
    knows the digest of the model's file."""
    llama, asked = loaded.bound.llama, loaded.settings
    wanted = asked.prompt_cache != "off" and asked.prompt_cache_limit > 0
    shelf = None
    if wanted and loaded.model.sha256:
        folder = settings.cache_dir() / FOLDER
        shelf = Shelf(folder, key_of(loaded).digest, asked.prompt_cache_limit)
    window = asked.memory.full_window
    return PrefixReuse(llama, loaded.handle, shelf, full_window=window)


def key_of(loaded: Loaded) -> StateKey:
    """What the states of a loaded model belong to."""
    memory = loaded.settings.memory
    gpus = tuple(one.name for one in loaded.bound.devices if one.is_gpu)
    turns = state.depends_on_context(loaded.bound.llama, loaded.handle)
    return StateKey(
        model=loaded.model.sha256,
        artifact=loaded.artifact.key,
        kv_type=memory.kv_type,
        flash=memory.flash,
        full_window=memory.full_window,
        gpu_layers=loaded.gpu_layers,
        devices=(loaded.settings.devices or gpus) if loaded.gpu_layers else (),
        context=loaded.context if turns else 0,
        kernels=loaded.bound.kernels,
    )
