"""A process that opens an engine in little memory: artifact, model, bytes of address space."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

from smolpc.errors import SmolpcError
from smolpc.runtime import Engine, RunSettings
from smolpc.schema.fit import FitSettings


def main() -> int:
    artifact, model, context, room = sys.argv[1:]
    settings = RunSettings(memory=FitSettings(context=int(context)), threads=1)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + int(room), used + int(room)))
    try:
        with Engine.open(Path(model), artifact=Path(artifact), settings=settings) as engine:
            print(engine.generate("Hi", max_tokens=1).result.text)
    except SmolpcError as error:
        print(f"error: {error}")
        return error.code
    return 0


if __name__ == "__main__":
    sys.exit(main())
