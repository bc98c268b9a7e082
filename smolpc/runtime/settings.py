"""Starting values: how many threads, how much context."""

from __future__ import annotations

from smolpc.schema.host import Cpu

DEFAULT_CONTEXT = 4096  # tokens; more only when asked for, because it costs memory


def default_threads(cpu: Cpu) -> int:
    """One thread per performance core, or physical core, that this process may use.

    Decoding is bound by memory: a second thread on the same core, or an efficiency core
    that the others wait for, makes it slower.
    """
    cores = cpu.performance_cores or cpu.physical_cores
    return max(1, min(cores, int(cpu.usable_cores)))


def fit_threads(asked: int, cpu: Cpu) -> tuple[int, str]:
    """The threads to use (`asked` 0: the default) and the sentence for the user ("" if none).

    Never more than usable logical processors: threads that wait for a turn while others
    spin make decoding hundreds of times slower.
    """
    most = max(1, int(cpu.usable_cores))
    if asked > most:
        return (
            most,
            f"{asked} threads were asked for, {most} are used: one per processor",
        )
    return asked or default_threads(cpu), ""


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
