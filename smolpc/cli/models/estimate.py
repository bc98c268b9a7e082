"""`models.estimate`: how much memory a model needs here, before it is downloaded."""

from __future__ import annotations

from smolpc.cli.app import command
from smolpc.console import Console, human_bytes
from smolpc.schema.fit import Choice
from smolpc.schema.fit_report import EstimateReport

HELP = {
    "name": "name, alias, hf:owner/repo:file, address or path of a model",
    "ctx": "tokens of context (default: as many as fit, up to 32768)",
    "kv_type": "type of the cached keys and values, such as q8_0 (default: f16)",
    "gpu_layers": "layers on the GPU, the output layer counted (default: as many as fit)",
    "batch": "tokens that are computed at once (default: 512, fewer where memory is short)",
}
MARKS = {"fits": "✓ fits", "tight": "⚠ tight", "does-not-fit": "✗ does not fit"}


@command(first="name", help=HELP)
def estimate(
    console: Console,
    name: str,
    ctx: int = 0,
    kv_type: str = "",
    gpu_layers: int = -1,
    batch: int = 0,
    json: bool = False,
) -> None:
    """Show the memory a model needs on each device, and the settings that fit best."""
    from smolpc import settings
    from smolpc.models import places, sizing
    from smolpc.provision.advice import devices_here
    from smolpc.provision.target import catalog_for, host_for, model_for
    from smolpc.store import Store

    wishes = sizing.wishes(ctx, kv_type, gpu_layers, batch)
    chosen, _ = settings.load({"model": name})
    catalog, store = catalog_for(chosen), Store(chosen.store_path)
    manifest = model_for(catalog, chosen)
    known = places.mirrors(chosen)
    sized = sizing.shape_for(manifest, store, offline=chosen.offline, known=known)
    report = sizing.report(
        manifest,
        sized,
        devices_here(chosen, catalog, host_for(chosen)),
        wishes,
    )
    if json:
        console.emit(report)
    show(console, report, sizing.SOURCES[report.sized_from])


def show(console: Console, report: EstimateReport, source: str) -> None:
    """The report for people: a table of devices, the settings, how sure they are."""
    choice = report.choice
    settings, error = choice.estimate.settings, choice.estimate.error
    console.print(f"{report.model} ({report.architecture}), sized from {source}\n")
    console.table(
        ("device", "weights", "cache", "compute", "output", "other", "needs", "free"),
        rows(choice),
    )
    console.print(f"\n{MARKS[choice.verdict]}: {choice.why}")
    console.print(
        f"settings: context {settings.context}, cache {settings.kv_type},"
        f" batch {settings.ubatch}, GPU layers {settings.gpu_layers}"
        + (f", experts of {settings.cpu_experts} layers on the CPU" * bool(settings.cpu_experts))
        + (f", split {'/'.join(map(str, settings.split))}" if settings.split else "")
    )
    console.print(f"trained for {report.trained_context or '?'} tokens; sure to ±{error:.0%}")
    spare = ", ".join(f"{human_bytes(need.margin)} on {need.device}" for need in choice.needs)
    console.print(f"to be left free for other programs: {spare}")
    for note in report.notes:
        console.print(f"note: {note}")


def rows(choice: Choice) -> list[tuple[str, ...]]:
    """One line a device."""
    return [
        (
            use.device,
            *map(human_bytes, (use.weights, use.kv, use.compute, use.output, use.overhead)),
            human_bytes(need.needs),
            human_bytes(need.has),
        )
        for use, need in zip(choice.estimate.devices, choice.needs, strict=True)
    ]
