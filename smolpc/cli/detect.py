"""`detect`: what this machine is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smolpc.cli.app import command
from smolpc.console import Console, human_bytes
from smolpc.schema.host import Cpu, Host, Npu

if TYPE_CHECKING:
    from smolpc.settings import Settings


@command(
    help={
        "refresh": "ask the machine again instead of using what was remembered",
        "record": "also write the raw answers to this file, names and serial numbers masked",
    }
)
def detect(console: Console, json: bool = False, refresh: bool = False, record: str = "") -> None:
    """Show the hardware, the drivers and the build tools of this machine."""
    from pathlib import Path

    from smolpc import settings
    from smolpc.detect import host

    chosen, _ = settings.load()
    found = host(
        store=chosen.store_path,
        cache_dir=settings.cache_dir(),
        refresh=refresh,
        record=Path(record) if record else None,
    )
    if json:
        console.emit(found)
    for name, text in describe(found):
        console.print(f"{name:<10} {text}".rstrip())
    for npu in found.npus:
        console.print(f"{'npu':<10} {npu.name}: {_support(npu, found, chosen)}")


def _support(npu: Npu, host: Host, chosen: Settings) -> str:
    from smolpc.plan.npu import sentence
    from smolpc.provision.target import catalog_for

    catalog = catalog_for(chosen)
    return sentence(npu, catalog.profiles, host, catalog.engine(chosen.engine))[0]


def _cores(cpu: Cpu) -> str:
    text = f"{cpu.physical_cores} cores, {cpu.logical_cores} threads"
    if cpu.performance_cores:
        text += f" ({cpu.performance_cores} performance, {cpu.efficiency_cores} efficiency)"
    if cpu.usable_cores < cpu.logical_cores:
        text += f", {cpu.usable_cores:g} usable"
    return text


def describe(host: Host) -> list[tuple[str, str]]:
    """The host as (label, text) lines for people."""
    cpu, memory = host.cpu, host.memory
    libc = f", {host.os.libc.name} {host.os.libc.version}".rstrip() if host.os.libc else ""
    limit = f" (limited by {memory.limited_by})" if memory.limited_by else ""
    lines = [
        ("system", f"{host.os.name or host.os.system} ({cpu.arch}{libc})"),
        ("cpu", f"{cpu.brand or cpu.vendor}: {cpu.microarchitecture}, {_cores(cpu)}"),
        (
            "memory",
            f"{human_bytes(memory.total)}, {human_bytes(memory.available)} available{limit}",
        ),
    ]
    lines += [("disk", f"{human_bytes(d.free)} free for {d.path}") for d in host.disks]
    for gpu in host.gpus:
        facts = [
            human_bytes(gpu.memory) if gpu.memory else "shared memory" if gpu.integrated else "",
            f"compute capability {gpu.compute_capability}" if gpu.compute_capability else "",
            f"driver {gpu.driver}" if gpu.driver else "",
            gpu.metal,
        ]
        lines.append(("gpu", ", ".join([gpu.name, *filter(None, facts)])))
    if not host.gpus:
        lines.append(("gpu", "none found"))
    lines += [("tool", f"{tool.name} {tool.version}  {tool.path}") for tool in host.tools]
    lines += [("unknown", gap) for gap in host.gaps]
    return lines
