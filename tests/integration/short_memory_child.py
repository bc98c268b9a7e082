"""Load a model with all layers on the device, in a process whose memory is limited.

    python -m tests.integration.short_memory_child ARTIFACT MODEL MEBIBYTES

MEBIBYTES: how much more than now the process may take while it loads. Prints the result as JSON.
"""

from __future__ import annotations

import resource
import sys
import threading
from pathlib import Path

import msgspec

from smolpc.runtime.engine import Engine
from smolpc.schema.fit import FitSettings
from smolpc.schema.running import RunSettings


def main() -> None:
    artifact, model, room = Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    free = resource.RLIM_INFINITY
    with Engine(artifact=artifact) as engine:
        warm = RunSettings(memory=FitSettings(context=512, gpu_layers=1), threads=2)
        engine.load(model, settings=warm)
        list(engine.generate("Say hello.", max_tokens=2))  # the driver takes its memory now
        engine.unload(model)
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + (room << 20)
        threading.stack_size(1 << 19)  # or a thread of Python would be what does not fit
        resource.setrlimit(resource.RLIMIT_AS, (limit, free))
        everything = RunSettings(memory=FitSettings(context=512, gpu_layers=-1), threads=2)
        engine.load(model, settings=everything)
        resource.setrlimit(resource.RLIMIT_AS, (free, free))
        stream = engine.generate("Say hello.", max_tokens=4)
        print(msgspec.json.encode(stream.result).decode())


if __name__ == "__main__":
    main()
