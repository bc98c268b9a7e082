"""Settings that `plan.running` does not choose: a context by hand, and those of a draft model."""

from __future__ import annotations

import msgspec

from smolpc.schema.fit import FitSettings
from smolpc.schema.running import RunSettings

DEFAULT_CONTEXT = 4096  # tokens


def fit_context(asked: int | None, trained: int) -> tuple[int, str]:
    """The context to use, in tokens, and the sentence to tell the user ("" if none).

    Never more than the model was trained for: beyond it the answers turn to noise.
    """
    if asked is None:
        if trained <= DEFAULT_CONTEXT:
            return trained, ""
        return DEFAULT_CONTEXT, (
            f"the context is {DEFAULT_CONTEXT} tokens, the model was trained for {trained}"
        )
    if asked > trained:
        return trained, (
            f"the context was cut from {asked} to {trained} tokens:"
            " the model was not trained for more"
        )
    return asked, ""


def draft_settings(main: RunSettings) -> RunSettings:
    """How the model runs that drafts for one with the settings `main`: it reads the same text,
    on the processor."""
    memory = main.memory
    return msgspec.structs.replace(
        main,
        memory=FitSettings(
            context=memory.context,
            batch=memory.batch,
            ubatch=memory.ubatch,
            flash=memory.flash,
        ),
        speculation="off",
        draft_model="",
        devices=(),
        prompt_cache_limit=0,
    )
