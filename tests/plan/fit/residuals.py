"""The engine's own numbers, as stored in docs/fit.json, and how far the estimates are off.

Read by the unit tests; written, with the tables of docs/fit.md, by scripts/fit_residuals.py.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import msgspec

from smolpc.gguf.types import tensor_bytes
from smolpc.plan import fit
from smolpc.schema.base import Value
from smolpc.schema.fit import Device, Estimate, FitSettings, Shape
from smolpc.schema.gguf import GgufHeader, Tensor
from tests.plan.fit import shapes

DOCS = Path(__file__).parents[3] / "docs"
DATA, TEXT = DOCS / "fit.json", DOCS / "fit.md"
BEGIN, END = "<!-- tables: begin -->", "<!-- tables: end -->"
MIB = 1 << 20
DENSE, OTHER, UNDER = 0.05, 0.10, 0.02  # the promised bounds, of the total
SIMULATED = 24 << 30  # bytes; what the simulated GPUs say they have


class Row(Value, kw_only=True):
    """One question to the engine. `engine`: device -> bytes of weights, cache, compute."""

    model: str
    settings: FitSettings
    gpus: int
    engine: dict[str, list[int]]
    output: int

    @property
    def total(self) -> int:
        return sum(map(sum, self.engine.values())) + self.output


class Stored(Value, kw_only=True):
    """`shapes`: of the real models, whose files are not here when the tests run."""

    engine: str
    shapes: dict[str, Shape]
    rows: tuple[Row, ...]


def header_of(model: shapes.Made) -> GgufHeader:
    """The header that `shapes.write` writes."""
    tensors, offset = [], 0
    for name, shape, kind in model.tensors:
        size = tensor_bytes(kind, shape)
        tensors.append(Tensor(name=name, type=kind, shape=shape, offset=offset, size=size))
        offset += -(-size // 32) * 32
    metadata = {
        f"{model.architecture}.{key}": tuple(value) if isinstance(value, list) else value
        for key, value in model.metadata.items()
    }
    metadata |= {"general.architecture": model.architecture, "tokenizer.ggml.model": "none"}
    return GgufHeader(version=3, metadata=metadata, tensors=tuple(tensors), data_offset=0)


@cache
def synthetic() -> dict[str, Shape]:
    return {one.name: fit.shape_of(header_of(one)) for one in shapes.all_shapes()}


def devices(gpus: int) -> list[Device]:
    cpu = Device(name="CPU", kind="cpu", free=SIMULATED, total=SIMULATED)
    return [cpu] + [
        Device(name=f"GPU{number}", kind="gpu", free=SIMULATED, total=SIMULATED)
        for number in range(gpus)
    ]


def estimate(row: Row, shape: Shape) -> Estimate:
    return fit.estimate(shape, row.settings, devices(row.gpus))


def residual(row: Row, shape: Shape) -> float:
    """Estimate minus truth, of the truth. The engine's own parts only: no overheads."""
    return estimate(row, shape).engine / row.total - 1


@cache
def stored() -> Stored:
    return msgspec.json.decode(DATA.read_bytes(), type=Stored)


def shape_of(model: str, data: Stored) -> Shape:
    return data.shapes.get(model) or synthetic()[model]


def save(data: Stored) -> None:
    """One row a line, only what differs from the defaults: a readable diff."""
    plain = FitSettings(context=0)
    rows = []
    for row in data.rows:
        told = msgspec.to_builtins(row)
        told["settings"] = {
            key: value
            for key, value in told["settings"].items()
            if value != msgspec.to_builtins(plain)[key]
        }
        rows.append(json.dumps(told))
    real = json.dumps(msgspec.to_builtins(data.shapes))
    head = f'{{\n"engine": {json.dumps(data.engine)},\n"shapes": {real},\n"rows": [\n'
    DATA.write_text(head + ",\n".join(rows) + "\n]\n}\n", encoding="utf-8")


def tables(data: Stored) -> str:
    """The two tables of docs/fit.md."""
    lines = [
        "| model | settings | largest under | largest over | mean | promised |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for model in dict.fromkeys(row.model for row in data.rows):
        shape = shape_of(model, data)
        off = [residual(row, shape) for row in data.rows if row.model == model]
        mean = sum(map(abs, off)) / len(off)
        bound = DENSE if shape.dense else OTHER
        lines.append(
            f"| {model} | {len(off)} | {min(0.0, *off):+.2%} | {max(0.0, *off):+.2%} |"
            f" {mean:.2%} | -{UNDER:.0%} to +{bound:.0%} |"
        )
    lines += [
        "",
        "| model | weights | cache | compute | output | engine | smolpc | off |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    lines += [_line(row, shape_of(row.model, data)) for row in data.rows if _is_usual(row)]
    return "\n".join(lines) + "\n"


def _is_usual(row: Row) -> bool:
    return row.settings == FitSettings(context=8192, flash="on") and not row.gpus


def _line(row: Row, shape: Shape) -> str:
    made = estimate(row, shape)
    (use,) = made.devices
    pairs = zip((use.weights, use.kv, use.compute), row.engine["CPU"], strict=True)
    cells = [f"{mine / MIB:.1f} / {its / MIB:.1f}" for mine, its in pairs]
    cells.append(f"{use.output / MIB:.1f} / {row.output / MIB:.1f}")
    cells += [f"{row.total / MIB:.0f}", f"{made.engine / MIB:.0f}"]
    return f"| {row.model} | {' | '.join(cells)} | {residual(row, shape):+.2%} |"


def write_tables(data: Stored) -> None:
    """Replace what lies between the marks in docs/fit.md."""
    text = TEXT.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    TEXT.write_text(f"{before}{BEGIN}\n\n{tables(data)}\n{END}{after}", encoding="utf-8")
