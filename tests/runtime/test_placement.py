"""A model that silently went to the processor is noticed."""

from __future__ import annotations

from smolpc.runtime.placement import Placement, fallback, read

ON_CPU = ["load_tensors:   CPU_Mapped model buffer size =    93.79 MiB\n"]
ON_BOTH = [
    *ON_CPU,
    "load_tensors:        CUDA0 model buffer size =   100.00 MiB\n",
    "load_tensors:    CUDA_Host model buffer size =    10.00 MiB\n",
    "llama_kv_cache:      CUDA0 KV buffer size =    20.00 MiB\n",
    "sched_reserve:        CPU compute buffer size =     1.00 MiB\n",
]
MIB = 2**20


def test_bytes_are_counted_where_the_engine_says_they_lie() -> None:
    assert read(ON_CPU) == Placement(weights_on_gpu=0, total=int(93.79 * MIB))
    assert read(ON_BOTH) == Placement(weights_on_gpu=100 * MIB, total=int(224.79 * MIB))


def test_every_lost_gpu_has_a_reason() -> None:
    cpu, gpu = read(ON_CPU), read(ON_BOTH)
    assert fallback(-1, (), (), cpu) == ""  # an engine for the processor
    assert fallback(0, ("cuda",), (), cpu) == ""  # nobody asked
    assert fallback(-1, (), ("CUDA0",), gpu) == ""
    assert "cuda registered no device" in fallback(-1, ("cuda",), (), cpu)
    assert "no GPU device" in fallback(5, (), (), cpu)
    assert "no layer on CUDA0" in fallback(5, (), ("CUDA0",), cpu)
