"""What this machine is: facts, each made of a question and a pure parser.

host(store=..., cache_dir=...)   the live machine; the second call comes from a cache
detect(machine, store)           any machine, a recorded one too, without a cache
"""

from __future__ import annotations

from pathlib import Path

from smolpc.detect.machine import Machine
from smolpc.schema.host import Host

__all__ = ["Machine", "detect", "host", "host_of"]


def detect(machine: Machine, store: Path) -> Host:
    """Ask `machine` everything. `store` is the folder whose disk matters.

    What cannot be found out is left at its default and said in `Host.gaps`. Raises
    PrerequisiteError for an operating system or processor family smolpc does not know.
    """
    from smolpc.detect import cpu, disk, gpu, memory, npu, system, tools

    gaps: list[str] = []
    return Host(
        os=system.ask(machine, gaps),
        cpu=cpu.ask(machine, gaps),
        memory=memory.ask(machine, gaps),
        disks=disk.ask(machine, store, gaps),
        gpus=gpu.ask(machine, gaps),
        npus=npu.ask(machine, gaps),
        tools=tools.ask(machine),
        gaps=tuple(gaps),
    )


def host(
    *, store: Path, cache_dir: Path, refresh: bool = False, record: Path | None = None
) -> Host:
    """The machine this runs on. Free memory, free disk and usable cores are always fresh.

    `refresh` looks at everything again; so does `record`, which also writes the raw
    answers, masked, to that file. Raises PrerequisiteError like `detect`, and when the
    recording cannot be written.
    """
    from smolpc.detect.live import LiveMachine

    return host_of(LiveMachine(), store=store, cache_dir=cache_dir, refresh=refresh, record=record)


def host_of(
    machine: Machine,
    *,
    store: Path,
    cache_dir: Path,
    refresh: bool = False,
    record: Path | None = None,
) -> Host:
    """`host` for a given machine."""
    from smolpc.detect import cache

    if record is not None:
        from smolpc.detect.recorded import RecordingMachine

        recorder = RecordingMachine(machine)
        found = detect(recorder, store)
        recorder.save(record)
    else:
        cached = None if refresh else cache.load(machine, store, cache_dir)
        if cached is not None:
            return cached
        found = detect(machine, store)
    return cache.save(machine, store, cache_dir, found)
