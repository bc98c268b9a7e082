"""Compare smolpc's memory estimates with what the pinned engine reserves.

    python scripts/fit_residuals.py [--store STORE]

Writes sparse GGUF files with the shapes of real models (tests/plan/fit/shapes.py), asks the
engine of the store's current generation for its buffers (scripts/fit_oracle.cpp, compiled
with c++ against the engine's headers and libraries), and writes the stored numbers
(docs/fit.json) and the tables in docs/fit.md. Needs a store after `smolpc setup`; about a
minute, under 1 MB of disk.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from smolpc import proc, settings  # noqa: E402
from smolpc.gguf import local_file, read_header  # noqa: E402
from smolpc.models import storage  # noqa: E402
from smolpc.plan import fit  # noqa: E402
from smolpc.schema.fit import FitSettings, Shape  # noqa: E402
from smolpc.store import Store, generations  # noqa: E402
from tests.plan.fit import residuals, shapes  # noqa: E402

FLASH = {"off": 0, "on": 1, "auto": -1}


def settings_of(layers: int, experts: int) -> Iterator[tuple[FitSettings, int]]:
    """(settings, number of GPUs): every part of the estimate is asked for."""

    def made(context: int, gpus: int = 0, **other: Any) -> tuple[FitSettings, int]:
        return FitSettings(context=context, **{"flash": "on", **other}), gpus

    for context in (2048, 8192, 32768):
        for ubatch in (128, 512):
            yield made(context, ubatch=ubatch)
            yield made(context, ubatch=ubatch, flash="off")
            yield made(context, ubatch=ubatch, kv_type="q8_0")
    yield made(8192, flash="auto")
    yield made(8192, full_window=True)
    yield made(16384, ubatch=1024)
    yield made(16384, ubatch=2048)
    yield made(131072)
    yield made(512)
    yield made(16384, sequences=4)
    yield made(16384, sequences=4, flash="off")
    for kept in (1, layers // 3, layers + 1):
        yield made(8192, 1, gpu_layers=kept)
        yield made(8192, 1, gpu_layers=kept, flash="off")
    yield made(32768, 1, gpu_layers=layers + 1)
    yield made(8192, 1, gpu_layers=layers // 3, kv_type="q8_0")
    yield made(8192, 2, gpu_layers=layers + 1)
    yield made(8192, 2, gpu_layers=layers // 2)
    if experts:
        yield made(8192, 1, gpu_layers=layers + 1, cpu_experts=layers // 4)
        yield made(8192, 1, gpu_layers=layers + 1, cpu_experts=layers)


def oracle(store: Store, folder: Path) -> Path:
    """The compiled program. Raises SystemExit with the compiler's words."""
    now = generations.require_current(store)
    library = store.artifact(now.artifact) / "lib"
    sources = sorted((store.root / "sources").glob("llama.cpp-*/engine"))
    if not sources:
        raise SystemExit(f"{store.root} holds no engine source: smolpc setup")
    includes = [
        f"-I{sources[-1] / part}" for part in ("src", "include", "ggml/include", "ggml/src")
    ]
    program = folder / "fit_oracle"
    libraries = [f"-L{library}", "-lllama", "-lggml", "-lggml-base", f"-Wl,-rpath,{library}"]
    source = str(ROOT / "scripts" / "fit_oracle.cpp")
    done = proc.run(
        ["c++", "-std=c++17", "-O1", source, "-o", str(program), *includes, *libraries],
        timeout=300,
    )
    if not done.ok:
        raise SystemExit(done.output)
    return program


def job(path: Path, wanted: FitSettings, gpus: int) -> str:
    fields = (
        wanted.context,
        wanted.batch,
        wanted.ubatch,
        wanted.kv_type,
        FLASH[wanted.flash],
        wanted.gpu_layers,
        wanted.cpu_experts,
        gpus,
        0,
        int(wanted.full_window),
        wanted.sequences,
        path,
    )
    return " ".join(map(str, fields))


def merged(answer: dict[str, Any]) -> dict[str, list[int]]:
    """Buffers by device: pinned host memory is the CPU's."""
    devices: dict[str, list[int]] = {}
    for buffer, sizes in answer["buffers"].items():
        simulated = buffer.startswith("GPU") and buffer != "GPU_Host"
        name = buffer if simulated else "CPU"
        kept = devices.setdefault(name, [0, 0, 0])
        devices[name] = [old + new for old, new in zip(kept, sizes, strict=True)]
    return dict(sorted(devices.items()))


def models(store: Store, folder: Path) -> dict[str, tuple[Path, Shape]]:
    """Synthetic files, and the first real model of the store."""
    paths = {
        one.name: shapes.write(one, folder / f"{one.name}.gguf") for one in shapes.all_shapes()
    }
    for record in storage.installed(store.models)[:1]:
        paths = {record.name: storage.path_of(store.models, record), **paths}
    found = {}
    for name, path in paths.items():
        with local_file(path) as source:
            found[name] = (path, fit.shape_of(read_header(source)))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--store", default="", help="default: the store of the settings")
    chosen, _ = settings.load({"store": parser.parse_args().store})
    store = Store(chosen.store_path)
    with tempfile.TemporaryDirectory(prefix="smolpc-fit-") as name:
        folder = Path(name)
        program, found = oracle(store, folder), models(store, folder)
        asked = [
            (model, wanted, gpus)
            for model, (_, shape) in found.items()
            for wanted, gpus in settings_of(len(shape.layers), shape.experts)
        ]
        jobs = folder / "jobs"
        lines = [job(found[model][0], wanted, gpus) for model, wanted, gpus in asked]
        jobs.write_text("\n".join(lines) + "\n", encoding="utf-8")
        done = proc.run([str(program), str(jobs)], timeout=1800)
    answers = [json.loads(line) for line in done.output.splitlines() if line.startswith("{")]
    if len(answers) != len(asked):
        raise SystemExit(done.output[-4000:])
    rows = []
    for (model, wanted, gpus), answer in zip(asked, answers, strict=True):
        if "error" in answer:
            raise SystemExit(f"the engine refused {model} with {wanted}")
        rows.append(
            residuals.Row(
                model=model,
                settings=wanted,
                gpus=gpus,
                engine=merged(answer),
                output=int(answer["output"]),
            )
        )
    real = {name: shape for name, (_, shape) in found.items() if name not in residuals.synthetic()}
    stored = residuals.Stored(engine=chosen.engine, shapes=real, rows=tuple(rows))
    residuals.save(stored)
    residuals.write_tables(stored)
    sys.stdout.write(residuals.tables(stored))


if __name__ == "__main__":
    main()
