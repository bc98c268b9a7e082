"""Which compute devices the loaded engine really registered, asked of ggml itself."""

from __future__ import annotations

import ctypes
from ctypes import POINTER, byref, c_char_p, c_int, c_size_t, c_void_p
from pathlib import Path

from smolpc.runtime import libraries
from smolpc.schema.base import Bytes, Value

KINDS = ("cpu", "gpu", "igpu", "accel", "meta")  # enum ggml_backend_dev_type, ggml-backend.h

# ggml's registry name of a backend, where it is not the recipe's feature name.
FEATURE_NAMES = {"mtl": "metal", "rocm": "hip"}


class Device(Value, kw_only=True):
    """One registered device. Memory in bytes; 0 where the backend does not know."""

    name: str  # "CUDA0"
    description: str  # "NVIDIA GeForce RTX 4090"
    backend: str  # the feature name in engine recipes: "cpu", "cuda", "vulkan", "metal"
    kind: str  # one of KINDS
    memory_total: Bytes
    memory_free: Bytes

    @property
    def is_gpu(self) -> bool:
        return self.kind in ("gpu", "igpu")


class Ggml:
    """The functions of ggml's device registry that the bindings leave out."""

    def __init__(self, folder: Path) -> None:
        registry = ctypes.CDLL(str(libraries.find(folder, "ggml")))
        base = ctypes.CDLL(str(libraries.find(folder, "ggml-base")))
        self.load_all = registry.ggml_backend_load_all_from_path
        self.load_all.argtypes, self.load_all.restype = [c_char_p], None
        self.load = registry.ggml_backend_load
        self.load.argtypes, self.load.restype = [c_char_p], c_void_p
        self.count = registry.ggml_backend_dev_count
        self.count.argtypes, self.count.restype = [], c_size_t
        self.get = registry.ggml_backend_dev_get
        self.get.argtypes, self.get.restype = [c_size_t], c_void_p
        self.name = base.ggml_backend_dev_name
        self.description = base.ggml_backend_dev_description
        self.registry_name = base.ggml_backend_reg_name
        for function in (self.name, self.description, self.registry_name):
            function.argtypes, function.restype = [c_void_p], c_char_p
        self.kind = base.ggml_backend_dev_type
        self.kind.argtypes, self.kind.restype = [c_void_p], c_int
        self.registry = base.ggml_backend_dev_backend_reg
        self.registry.argtypes, self.registry.restype = [c_void_p], c_void_p
        self.memory = base.ggml_backend_dev_memory
        self.memory.argtypes = [c_void_p, POINTER(c_size_t), POINTER(c_size_t)]
        self.memory.restype = None
        self._buffer_type = base.ggml_backend_dev_buffer_type
        self._buffer_type.argtypes, self._buffer_type.restype = [c_void_p], c_void_p
        self.proc_address = base.ggml_backend_reg_get_proc_address
        self.proc_address.argtypes, self.proc_address.restype = [c_void_p, c_char_p], c_void_p

    def devices(self) -> tuple[Device, ...]:
        """Every registered device, in the order ggml uses them."""
        return tuple(self._device(self.get(index)) for index in range(self.count()))

    def cpu_function(self, name: str) -> int:
        """Address of a function of the CPU backend, which may be a library of its own."""
        address: int | None = self.proc_address(self.registry(self._cpu()), name.encode())
        if not address:
            raise AttributeError(f"the CPU backend has no function {name}")
        return address

    def handle(self, name: str) -> int | None:
        """ggml's pointer to the device of that name, as `Device.name` has it."""
        wanted = name.encode()
        handles: list[int] = [self.get(index) for index in range(self.count())]
        return next((one for one in handles if self.name(one) == wanted), None)

    def cpu_buffer_type(self) -> int:
        """Where tensors lie in host memory."""
        address: int = self._buffer_type(self._cpu())
        return address

    def _cpu(self) -> int:
        handles: list[int] = [self.get(index) for index in range(self.count())]
        return next(one for one in handles if KINDS[self.kind(one)] == "cpu")

    def _device(self, handle: int) -> Device:
        free, total = c_size_t(), c_size_t()
        self.memory(handle, byref(free), byref(total))
        backend = self.registry_name(self.registry(handle)).decode().lower()
        return Device(
            name=self.name(handle).decode(),
            description=(self.description(handle) or b"").decode("utf-8", "replace"),
            backend=FEATURE_NAMES.get(backend, backend),
            kind=KINDS[self.kind(handle)],
            memory_total=total.value,
            memory_free=free.value,
        )


def missing_gpu_backends(wanted: tuple[str, ...], devices: tuple[Device, ...]) -> tuple[str, ...]:
    """Backends of `wanted` that drive a GPU and registered none: they fell back silently.

    Only the ones that are known to be processor-side are left out, so that a GPU backend
    this version has never heard of is still missed.
    """
    present = {device.backend for device in devices if device.is_gpu}
    return tuple(name for name in wanted if name not in {"cpu", "blas", "rpc"} | present)
