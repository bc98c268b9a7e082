"""Which layers attend only to a window of recent tokens.

Sources: `load_swa_pattern` in llama-model.cpp and `load_arch_hparams` of each model in
src/models/ of the pinned engine. An architecture that is not listed and does not spell its
pattern out is taken as full attention, which never underestimates.
"""

from __future__ import annotations

from smolpc.schema.gguf import GgufHeader

# architecture: (every n-th layer attends to everything, the first of the n does instead of the
# last, window in tokens where the file does not say)
PATTERNS: dict[str, tuple[int, bool, int]] = {
    "afmoe": (4, False, 0),
    "cohere2": (4, False, 0),
    "cohere2moe": (4, True, 0),
    "exaone-moe": (4, False, 128),
    "gemma2": (2, False, 4096),
    "gemma3": (6, False, 0),
    "gemma3n": (5, False, 0),
    "gpt-oss": (2, False, 0),
    "laguna": (4, True, 0),
    "llama4": (4, False, 8192),
    "mellum": (4, False, 0),
    "muse-glimmer": (4, False, 0),
    "olmo2": (4, False, 0),
    "plamo3": (8, False, 0),
    "smallthinker": (4, True, 4096),
}
IGNORED = ("phi3",)  # the engine turns the window off


def windowed(header: GgufHeader, layers: int) -> tuple[int, tuple[bool, ...]]:
    """The window in tokens (0: none) and, for each layer, whether it is limited to it."""
    name = header.architecture
    period, dense_first, default = PATTERNS.get(name, (0, False, 0))
    if name == "exaone4" and layers == 64:
        period, default = 4, 4096
    found = header.metadata.get(f"{name}.attention.sliding_window", default)
    window = int(found) if isinstance(found, int) else 0
    pattern = header.metadata.get(f"{name}.attention.sliding_window_pattern")
    none = (0, (False,) * layers)
    if not window or name in IGNORED:
        return none
    if isinstance(pattern, tuple):
        marks = [bool(value) for value in pattern[:layers]]
        return window, tuple(marks + [False] * (layers - len(marks)))
    if isinstance(pattern, int) and not isinstance(pattern, bool) and period:
        period = pattern
    if not period:
        return none
    return window, every(period, layers, dense_first=dense_first)


def every(period: int, layers: int, *, dense_first: bool = False) -> tuple[bool, ...]:
    """Whether each layer is limited when every `period`-th attends to everything."""
    full = 0 if dense_first else period - 1
    return tuple(index % period != full for index in range(layers))
