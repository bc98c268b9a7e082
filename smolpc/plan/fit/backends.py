"""What a backend takes besides what the engine reports, and what should stay free."""

from __future__ import annotations

from smolpc.plan.fit.cache import micro_batch
from smolpc.schema.fit import Device, FitSettings, Shape

MIB = 1 << 20

# Measured with the pinned engine, CPU build, on a 135M model: resident memory that is neither
# mapped weights nor a reported buffer, after 512 tokens. Libraries, threads, the graph.
PROCESS = 30 * MIB
# The vocabulary in memory, measured on the same model (49152 tokens): text, scores, hash
# tables, merges.
TOKEN = 360

# A driver context is not in the engine's numbers. There was no GPU to measure one: overhead and
# margin together are the 1 GiB a device that the engine itself leaves (fit_params_target in
# common.h), of which the overhead is what public reports of a bare context say, rounded up.
DRIVER = {"cuda": 512 * MIB, "vulkan": 256 * MIB, "metal": 128 * MIB, "gpu": 512 * MIB}
MARGIN = {"cuda": 512 * MIB, "vulkan": 768 * MIB, "metal": 512 * MIB, "gpu": 512 * MIB}

# Matrices of these types are repacked by the CPU backend, into a copy that replaces the
# original (repack.cpp, with AVX2 and with dot products or int8 matrices). A tied output becomes
# a second copy of the embedding that way; with a GPU the CPU does not repack.
REPACKED = {
    "aarch64": frozenset(("Q4_0", "Q4_K", "Q5_K", "Q6_K", "Q8_0", "IQ4_NL", "MXFP4")),
    "x86_64": frozenset(("Q2_K", "Q4_0", "Q4_K", "IQ4_NL", "MXFP4")),
}

# Host memory that other programs need while the model works: the larger of the two.
HOST_MARGIN, HOST_SHARE = 512 * MIB, 0.05


def host_overhead(shape: Shape, settings: FitSettings) -> int:
    """Process, vocabulary, the CPU's scratch for one quantized activation, prompt cache."""
    widest = max(
        (
            max(layer.feed_forward, layer.expert_feed_forward * layer.experts_used)
            for layer in shape.layers
        ),
        default=0,
    )
    scratch = micro_batch(settings) * max(widest, shape.embedding) * 9 // 8  # Q8_K: 292 of 256
    return PROCESS + TOKEN * shape.vocabulary + scratch + settings.prompt_cache


def repacks(shape: Shape, host: Device) -> bool:
    """Whether a CPU alone makes a copy of this model's output matrix."""
    return shape.output_type in REPACKED.get(host.arch, REPACKED["x86_64"])


def overhead(device: Device) -> int:
    """Bytes a GPU's driver takes for the process."""
    return DRIVER.get(device.kind, 0)


def margin(device: Device) -> int:
    """Bytes that should stay free on this device: other programs, and the estimate's error."""
    if device.kind == "cpu":
        return max(HOST_MARGIN, int(device.total * HOST_SHARE))
    return MARGIN[device.kind]
