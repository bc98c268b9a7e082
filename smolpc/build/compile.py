"""Run Ninja with live progress and a full log."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from pathlib import Path

from smolpc import proc
from smolpc.build.configure import environment, guard_of
from smolpc.build.remedies import explain
from smolpc.console import Reporter
from smolpc.plan.toolchain import Toolchain
from smolpc.schema.host import Host

STATUS = re.compile(r"^\[(\d+)/(\d+)\] ")
MEMORY_PER_JOB = 1_000_000_000  # bytes; the largest C++ file of llama.cpp peaks just below
MEMORY_PER_CUDA_JOB = 2_500_000_000


def jobs_for(host: Host, wanted: int, *, cuda: bool = False) -> int:
    """Parallel compile jobs: the wish, else usable cores as far as memory allows."""
    if wanted > 0:
        return wanted
    each = MEMORY_PER_CUDA_JOB if cuda else MEMORY_PER_JOB
    return max(1, min(math.ceil(host.cpu.usable_cores), host.memory.available // each))


def compile_targets(
    source: Path,
    build: Path,
    targets: Sequence[str],
    toolchain: Toolchain,
    *,
    jobs: int,
    log: Path,
    reporter: Reporter,
    timeout: float = 6 * 3600,
) -> None:
    """Build `targets`; what an earlier, interrupted run finished is not compiled again.

    Raises BuildError or SpaceError with the remedy. `timeout` is in seconds.
    """
    argv = [toolchain.ninja.path, "-C", str(build), "-j", str(jobs), *targets]
    env = {**environment(toolchain, source, build), "NINJA_STATUS": "[%f/%t] "}
    with (
        log.open("a", encoding="utf-8") as stream,
        reporter.task("Compile", unit="steps") as task,
    ):

        def on_line(line: str) -> None:
            seen = STATUS.match(line)
            if seen:
                task.update(int(seen[1]), int(seen[2]))

        result = proc.run(
            argv, env=env, timeout=timeout, on_line=on_line, log=stream, guard=guard_of(build)
        )
        if not result.ok:
            raise explain("compiling the engine", result.output, str(log))
