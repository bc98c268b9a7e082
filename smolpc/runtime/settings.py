"""The context of settings that were made by hand; `plan.running` chooses it otherwise."""

from __future__ import annotations

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
