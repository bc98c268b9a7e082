"""Every setting there is: its name, type, default and meaning."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import msgspec

from smolpc import files
from smolpc.schema.base import Value
from smolpc.schema.fit import Flash
from smolpc.schema.running import Reuse, Speculation
from smolpc.settings.sizes import size_of

Count = Annotated[int, msgspec.Meta(ge=0)]
OrAuto = Annotated[int, msgspec.Meta(ge=-1)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Positive = Annotated[float, msgspec.Meta(gt=0, le=1)]
Heat = Annotated[float, msgspec.Meta(ge=0, le=100)]
Penalty = Annotated[float, msgspec.Meta(gt=0, le=10)]
AUTO = "auto"  # as a value of any setting: its default


class Settings(Value, kw_only=True):
    """Everything a user may set. Empty text, 0 and -1 mean: let smolpc decide."""

    store: str = ""  # folder of artifacts and models; default: see `default_store`
    profiles: str = ""  # extra profile folders, separated like PATH
    recipes: str = ""  # extra recipe folders, separated like PATH
    engine: str = "llama.cpp"  # engine recipe
    engine_source: str = ""  # a local archive or folder of the engine, tried first
    pipeline: str = "setup"  # recipes/pipelines/<name>.yaml.j2
    profile: str = ""  # hardware profile by name; default: the best that fits
    model: str = ""  # model by name; default: the manifest marked default
    jobs: Count = 0  # parallel compile jobs; 0: usable cores, fewer when memory is short
    compiler_cache: bool = True  # use ccache or sccache where the machine has one
    offline: bool = False  # never use the network
    machine_store: str = ""  # folder whose models all users share; default: the system's, if made
    licenses: str = ""  # licence ids that may be pulled, separated by spaces; empty: all
    hf_endpoint: str = ""  # another Hugging Face (a mirror); default: HF_ENDPOINT, then the hub
    model_mirrors: str = ""  # URLs or folders asked first; spaces between, "..." around one
    download_limit: str = ""  # bytes a second, such as 5M; empty: no limit
    download_streams: Count = 0  # connections a file; 0: more than one only where it is faster
    quiet_hours: str = ""  # no downloads in this time of day, such as 08:00-15:30
    tune_seconds: Count = 20  # that setup measures a new model's settings; 0: it does not
    keep_generations: Count = 2  # earlier setups that artifacts.gc keeps usable
    backend: str = "auto"  # what answers, best first, such as "llamacpp ollama"
    server: str = ""  # address of a running llama-server; empty: one is started when it is needed
    memory_budget: str = ""  # bytes for all loaded models together, such as 6G; empty: what is free
    gpu_reserve: str = ""  # bytes kept free on each GPU for the desktop, such as 1G
    context: Count = 0  # tokens; 0: 8192 where that is cheap, else 4096, never above the model's
    threads: Count = 0  # while answering; 0: usable physical (or performance) cores
    batch_threads: Count = 0  # while reading the prompt; 0: as many as threads
    gpu_layers: OrAuto = -1  # on the GPU, the output layer counted; -1: as many as fit
    cpu_experts: OrAuto = -1  # layers whose experts stay on the CPU; -1: as few as fit
    kv_type: str = ""  # type of cached keys and values, such as q8_0; empty: f16
    batch: Count = 0  # tokens handed to the engine at once; 0: 2048
    ubatch: Count = 0  # tokens computed at once; 0: 512, fewer where memory is short
    flash_attention: Flash = "auto"  # auto, on or off
    devices: str = ""  # GPUs to use, such as "CUDA0 CUDA1", or none; empty: those that fit best
    speculation: Speculation = "auto"  # auto, off, ngram or draft
    draft_model: str = ""  # an installed model that drafts, for speculation: draft
    prompt_cache: Reuse = "auto"  # reuse of computed prompts: auto, exact, fast or off
    prompt_cache_limit: str = "1G"  # bytes of computed prompts on the disk; 0: none
    temperature: Heat = 0.7  # 0 always takes the likeliest token
    top_k: Count = 40  # only so many of the likeliest tokens; 0: all
    top_p: Positive = 0.95  # only the likeliest tokens with this sum of probabilities; 1: all
    min_p: Share = 0.05  # none with less than this share of the likeliest's probability; 0: all
    repeat_penalty: Penalty = 1.0  # above 1, tokens that were said lately become less likely

    @property
    def store_path(self) -> Path:
        return files.user_path(self.store).absolute()

    @property
    def machine_store_path(self) -> Path | None:
        """The store that all users of this PC share, or None. Without the setting it is
        `smolpc` in the system's data folder, if only an administrator can have made it."""
        if self.machine_store:
            return files.user_path(self.machine_store).absolute()
        from platformdirs import site_data_path

        folder = site_data_path("smolpc", appauthor=False)
        return folder if _made_by_root(folder) else None

    @property
    def memory_budget_bytes(self) -> int:
        """0: what is free."""
        return size_of(self.memory_budget)

    @property
    def prompt_cache_bytes(self) -> int:
        """0: nothing is kept on the disk."""
        return size_of(self.prompt_cache_limit)

    @property
    def gpu_reserve_bytes(self) -> int:
        return size_of(self.gpu_reserve)

    @property
    def profile_dirs(self) -> tuple[Path, ...]:
        return _folders(self.profiles)

    @property
    def recipe_dirs(self) -> tuple[Path, ...]:
        return _folders(self.recipes)


SAMPLING = ("temperature", "top_k", "top_p", "min_p", "repeat_penalty")
# What changes how a model runs, not what it is or where it comes from.
RUNNING = (
    *("context", "threads", "batch_threads", "gpu_layers", "cpu_experts", "kv_type", "batch"),
    *("ubatch", "flash_attention", "devices", "speculation", "draft_model"),
    "prompt_cache",
    *SAMPLING,
)
PER_MODEL = frozenset((*RUNNING, "backend"))
# A project file comes with a folder that somebody else may have made. So it never says where
# code, engines, recipes, models or answers come from, and lifts none of the user's limits.
IN_PROJECT = frozenset(("model", *RUNNING))
NAMES_IN_PROJECT = ("model", "draft_model")  # there only names of models, no paths or addresses
SIZES = ("gpu_reserve", "memory_budget", "prompt_cache_limit")


def _made_by_root(folder: Path) -> bool:
    """Whether root owns the folder and nobody else can write to it. Never on Windows, where
    every user may make folders beside it."""
    try:
        found = folder.stat()
    except OSError:
        return False
    return hasattr(os, "geteuid") and found.st_uid == 0 and not found.st_mode & 0o022


def _folders(text: str) -> tuple[Path, ...]:
    return tuple(files.user_path(part).absolute() for part in text.split(os.pathsep) if part)
