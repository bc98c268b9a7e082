"""Everything that the runtime promises about speed, measured in pairs, one after the other.

    python tests/benchmarks/runtime.py --store DIR --server DIR --model NAME [--model NAME ...]

`--store` is a store after `smolpc setup`, `--server` the folder of a portable engine (profile
linux-x86_64-portable), which is what Ollama ships: every CPU library, no OpenMP. Each part is a
script of its own beside this one, which prints its pairs and judges its median. Close other
programs: a busy machine makes the ratios wide.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from smolpc import files
from smolpc.models import storage
from smolpc.store import Store
from smolpc.store.generations import require_current

HERE = Path(__file__).parent


def part(name: str, *arguments: object, env: dict[str, str] | None = None) -> tuple[str, int]:
    """Run one script and show what it prints; its name and exit code."""
    print(f"\n== {name} {' '.join(map(str, arguments))}", flush=True)
    argv = [sys.executable, str(HERE / f"{name}.py"), *map(str, arguments)]
    return name, subprocess.run(argv, env={**os.environ, **(env or {})}, check=False).returncode


def name_of(store: Store, model: Path) -> str:
    """The stored model with these bytes; only for such prompts are kept on the disk."""
    digest = files.sha256_file(model)
    records = storage.installed(store.models)
    return next((record.name for record in records if record.sha256 == digest), "")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--store", type=Path, required=True)
    parser.add_argument("--server", type=Path, required=True)
    parser.add_argument("--model", type=Path, action="append", required=True, help="a GGUF file")
    parser.add_argument("--tunings", type=int, default=10, help="0: leave that part out")
    args = parser.parse_args()
    store = Store(args.store)
    artifact = store.artifact(require_current(store).artifact)
    env = {"SMOLPC_STORE": str(args.store)}
    results = []
    for model in args.model:
        both = ("--artifact", artifact, "--model", model)
        results.append((model, *part("decode_rate", *both)))
        results.append((model, *part("against_server", *both, "--server", args.server)))
        results.append((model, *part("speculation", *both)))
        if name := name_of(store, model):
            results.append((model, *part("prefix_restart", "--model", name, env=env)))
        else:
            print(f"\n{model} is not in the store (smolpc models.add): nothing is kept of it")
    if args.tunings:
        both = ("--artifact", artifact, "--model", args.model[0])
        results.append((args.model[0], *part("tune_repeats", *both, "--times", args.tunings)))
    print("\n== in short")
    for model, name, code in results:
        print(f"{model.stem:40} {name:16} {'kept' if code == 0 else 'MISSED'}")
    return 1 if any(code for *_, code in results) else 0


if __name__ == "__main__":
    sys.exit(main())
