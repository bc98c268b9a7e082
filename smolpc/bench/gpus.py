"""What a player takes of the NVIDIA GPUs, as their driver counts it: memory and energy."""

from __future__ import annotations

import contextlib
from collections.abc import Container
from typing import Any


class Gpus:
    """All NVIDIA GPUs of this PC, as a context manager. Where there is none, no driver, or a
    driver that does not tell, the answers are None."""

    def __init__(self) -> None:
        self._nvml: Any = None
        self._handles: list[Any] = []

    def __enter__(self) -> Gpus:
        import pynvml

        with contextlib.suppress(pynvml.NVMLError):
            pynvml.nvmlInit()
            self._nvml = pynvml
            count = pynvml.nvmlDeviceGetCount()
            self._handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(count)]
        return self

    def __exit__(self, *_: object) -> None:
        self._handles = []
        if self._nvml is not None:
            with contextlib.suppress(self._nvml.NVMLError):
                self._nvml.nvmlShutdown()
            self._nvml = None

    def memory(self, pids: Container[int]) -> int | None:
        """Bytes that these processes hold on all GPUs together. None: none of them is known there
        (in a container the driver may see other process numbers)."""
        found: list[int] = []
        for handle in self._handles:
            with contextlib.suppress(self._nvml.NVMLError):
                found += [
                    int(one.usedGpuMemory)
                    for one in self._nvml.nvmlDeviceGetComputeRunningProcesses(handle)
                    if one.pid in pids and one.usedGpuMemory is not None
                ]
        return sum(found) if found else None

    def joules(self) -> float | None:
        """What all GPUs together have used since their driver was loaded."""
        if not self._handles:
            return None
        try:
            used = [
                float(self._nvml.nvmlDeviceGetTotalEnergyConsumption(one)) for one in self._handles
            ]
        except self._nvml.NVMLError:  # older chips do not count it
            return None
        return sum(used) / 1000  # the driver counts millijoules
