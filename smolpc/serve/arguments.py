"""From the settings of a model to the options of llama-server. Pure.

An option is a name without dashes and a value, as the server's command line and its preset
files (several models) both take them: `{"ctx-size": "4096", "swa-full": "true"}`.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

from smolpc.errors import UsageError
from smolpc.schema.base import Value
from smolpc.schema.running import RunSettings, Sampling

SPECULATION = {
    "auto": "ngram-map-k",
    "ngram": "ngram-map-k",
    "draft": "draft-simple",
    "off": "none",
}
CLIENTS = 64  # that are heard at the same time
FLAGS = ("swa-full", "no-kv-unified")
NOT_IN_A_PRESET = "#;\r\n"  # the engine's reader ends a value there


class ServedModel(Value, kw_only=True):
    """One model of a server. Clients may ask for it by its name or by any alias."""

    name: str
    path: Path
    settings: RunSettings
    sampling: Sampling = Sampling()  # where a request says nothing else
    aliases: tuple[str, ...] = ()
    draft: Path | None = None  # for speculation "draft"


def options(model: ServedModel) -> dict[str, str]:
    """The options for one model, without its file. The context of its settings is for all
    sequences together."""
    settings, sampling = model.settings, model.sampling
    memory = settings.memory
    on_gpu = bool(settings.devices) and memory.gpu_layers != 0
    made = {
        "ctx-size": str(memory.context),
        "parallel": str(memory.sequences),
        "no-kv-unified": "true",  # each sequence has its own part: no answer takes another's
        "threads": str(settings.threads),
        "threads-batch": str(settings.batch_threads or settings.threads),
        "batch-size": str(memory.batch),
        "ubatch-size": str(memory.ubatch),
        "flash-attn": memory.flash,
        "cache-type-k": memory.kv_type,
        "cache-type-v": memory.kv_type,
        "cache-ram": str(memory.prompt_cache >> 20),  # MiB
        "fit": "off",  # smolpc has decided already; a second opinion would change it unseen
        # A device that is named and not there is an error: never a silent fallback.
        "device": ",".join(settings.devices) if on_gpu else "none",
        "spec-type": SPECULATION[settings.speculation],
        "temp": f"{sampling.temperature:g}",
        "top-k": str(sampling.top_k),
        "top-p": f"{sampling.top_p:g}",
        "min-p": f"{sampling.min_p:g}",
        "repeat-penalty": f"{sampling.repeat_penalty:g}",
        "repeat-last-n": str(sampling.repeat_last),
    }
    if on_gpu:
        made["gpu-layers"] = str(memory.gpu_layers)
    if on_gpu and memory.split:
        made["tensor-split"] = ",".join(map(str, memory.split))
    if memory.cpu_experts:
        made["n-cpu-moe"] = str(memory.cpu_experts)
    if memory.full_window:
        made["swa-full"] = "true"
    if settings.speculation == "draft":
        if model.draft is None:
            raise UsageError(
                "speculation 'draft' needs a draft model",
                why="none is named in the settings",
                next_step="smolpc serve --speculation auto",
            )
        made["model-draft"] = str(model.draft)
    return made


def as_arguments(made: dict[str, str]) -> list[str]:
    """`{"ctx-size": "1", "swa-full": "true"}` as `--ctx-size 1 --swa-full`."""
    words: list[str] = []
    for name, value in made.items():
        words += [f"--{name}"] if name in FLAGS else [f"--{name}", value]
    return words


def common(*, cors: str = "localhost") -> list[str]:
    """What every server of ours is started with: nothing is fetched, nobody sees the prompts
    of others, and a web page of another origin cannot read the answers."""
    return [
        "--offline",
        "--no-ui",
        "--no-slots",
        "--cors-origins",
        cors,
        "--log-colors",
        "off",
        "--threads-http",  # each client holds one while it waits, and 5 s longer
        str(CLIENTS),
    ]


def for_one(model: ServedModel) -> list[str]:
    """The arguments of a server with one model, which answers to every name."""
    made = options(model)
    return ["--model", str(model.path), "--alias", model.name, *as_arguments(made)]


def for_several(models: Sequence[ServedModel], *, loaded: int) -> list[str]:
    """The arguments of a router, beside its preset file. At most `loaded` models are in memory
    at once; then the one that was not used for longest leaves."""
    return ["--models-max", str(min(loaded, len(models)))]


def listed(name: str) -> str:
    """The name under which a router lists a model: it would change the letters after a ':'."""
    return name.replace(":", "-")


def _held(path: Path, folder: Path | None) -> str:
    """The path as a preset file can hold it: from `folder` where its beginning cannot be."""
    text = str(path)
    if folder is not None and any(sign in text for sign in NOT_IN_A_PRESET):
        with contextlib.suppress(ValueError):  # on another drive
            return os.path.relpath(path, folder)
    return text


def preset(models: Sequence[ServedModel], *, loaded: int, folder: Path | None = None) -> str:
    """The preset file of a router that works in `folder`: a section for each model. The first
    `loaded` are loaded at the start, the others when somebody asks for them. A name counts for
    the first model that has it. Raises UsageError for a path that the file cannot hold."""
    lines = ["version = 1"]
    taken = {listed(model.name) for model in models}
    for number, model in enumerate(models):
        made = options(model)
        made |= {"model": _held(model.path, folder)}
        if model.draft and "model-draft" in made:
            made |= {"model-draft": _held(model.draft, folder)}
        also = [one for one in (model.name, *model.aliases) if "," not in one]
        fresh = [one for one in dict.fromkeys(also) if one not in taken]
        taken.update(fresh)
        if fresh:
            made["alias"] = ",".join(fresh)
        made["load-on-startup"] = "true" if number < loaded else "false"
        lines += ["", f"[{listed(model.name)}]"]
        for name, value in made.items():
            lines.append(f"{name} = {value}")
            if any(sign in value for sign in NOT_IN_A_PRESET):
                raise UsageError(
                    f"{value} cannot be served together with other models",
                    why="the engine's list of models cannot hold '#' or ';'",
                    next_step=f"smolpc serve --model {model.name}   (this one alone)",
                )
    return "\n".join(lines) + "\n"
