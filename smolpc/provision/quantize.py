"""`models.quantize`: a smaller file of a model, made by the engine's own `llama-quantize`.

The program computes in 32-bit numbers between the two types, so a model that is quantized
already goes directly from one type to the other: a detour over F16 would only round a
second time and take the disk for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from smolpc import files, gguf, proc
from smolpc.errors import BuildError, PrerequisiteError, TrustError, UsageError
from smolpc.models import adopt, derive, quantization, storage
from smolpc.models.derive import Original
from smolpc.models.quantization import DryRun
from smolpc.provision.bring_in import Importer
from smolpc.schema.artifact import ModelRecord
from smolpc.schema.gguf import GgufHeader
from smolpc.schema.model import ModelManifest
from smolpc.schema.quantize_report import MadeReport
from smolpc.store import gc

TIMEOUT = 24 * 3600.0  # seconds; a large model on a small machine takes hours
DRY_RUN_TIMEOUT = 600.0  # seconds
MIB = 1 << 20
MOST_BUFFER, LEAST_BUFFER = 8192, 64  # MiB; the first is the program's own default
# ggml must not load a library that nobody verified.
ENVIRONMENT: Mapping[str, str | None] = {"GGML_BACKEND_PATH": None, "LLAMA_TRACE": None}
RESULT, GUARD = "result.gguf", "guard.lock"
SOURCE, IMATRIX = "source.gguf", "imatrix.gguf"


def original(
    importer: Importer, path: Path, record: ModelRecord | None, manifest: ModelManifest | None
) -> Original:
    """What will be quantized: an installed model (`record`), verified, or any GGUF file.

    Raises TrustError for a file that is not what was recorded, or not GGUF.
    """
    header = _header(path)  # before gigabytes are hashed
    if record is not None:
        storage.ensure_unchanged(record, path, importer.reporter)
        sha256 = record.sha256
    else:
        sha256 = _hash(importer, path)
    return Original(
        path=path.resolve(),
        sha256=sha256,
        header=header,
        name=record.name if record else path.stem,
        manifest=manifest,
    )


def quantize(
    importer: Importer,
    source: Original,
    kind: str,
    known: Mapping[str, ModelManifest],
    *,
    imatrix: Path | None = None,
    name: str = "",
) -> MadeReport:
    """Quantize `source` to `kind`, prove, store and register the result.

    Raises UsageError (a wrong type, a taken name, a missing importance matrix), SpaceError
    before anything is written, BuildError when the program fails, TrustError when its result
    does not load. Killed or interrupted, nothing but a temporary folder that `artifacts.gc`
    collects is left.
    """
    wanted = quantization.type_named(kind)
    if wanted == source.quantization:
        raise UsageError(
            f"{source.name} is {wanted} already",
            why="quantizing it again would change nothing but its name",
            next_step=f"smolpc models.quantize {source.name} --type Q8_0   (or another type)",
        )
    if name:  # before hours of work
        derive.name_for(name, name, source.makes, "", known)
    if imatrix is not None and not imatrix.is_file():
        raise UsageError(
            f"there is no importance matrix {imatrix}",
            next_step="give --imatrix the file that llama-imatrix made",
        )
    models = importer.store.models
    what = f"quantize {source.name} to {wanted}"
    with (
        files.explain_os_errors(models, what),
        gc.in_use(importer.store, importer.artifact.key),
        gc.scratch(importer.store, ".quantizing-") as folder,
    ):
        plan = _dry_run(importer, source, wanted, imatrix, folder)
        needed = plan.size + source.header.data_offset + plan.size // 50  # padding, and a margin
        files.require_space(models, needed, what)
        result = _run(importer, source, wanted, imatrix, plan, folder)
        return _bring_in(importer, source, result, plan, wanted, name, known)


def _bring_in(
    importer: Importer,
    source: Original,
    result: Path,
    plan: DryRun,
    wanted: str,
    name: str,
    known: Mapping[str, ModelManifest],
) -> MadeReport:
    header = _header(result)
    sha256 = _hash(importer, result)
    manifest = derive.quantized(source, result, sha256, header, name=name, known=known)
    if manifest.file.quantization != wanted:
        raise TrustError(
            f"llama-quantize did not make a {wanted} file",
            why=f"its header says {manifest.file.quantization}",
            next_step="smolpc artifacts.verify",
        )
    record, tested = importer.bring_in(
        manifest, result, source=manifest.origin, how="move", verified=True
    )
    return MadeReport(
        model=manifest.name,
        parent=source.sha256,
        quantization=wanted,
        size=record.size,
        path=str(storage.path_of(importer.store.models, record)),
        record=record,
        requantized=plan.requantized,
        checked=tested.checks.get("model", "") if tested else "",
        notes=_notes(source, plan),
    )


def _notes(source: Original, plan: DryRun) -> tuple[str, ...]:
    if not plan.requantized:
        return ()
    return (
        f"{source.name} was quantized before ({', '.join(plan.requantized)}): what was lost then"
        " is not in the result either. From an F16 or BF16 file the same type is better",
    )


def _dry_run(
    importer: Importer, source: Original, wanted: str, imatrix: Path | None, folder: Path
) -> DryRun:
    argv = [*_program(importer), "--dry-run", *_imatrix(imatrix, folder)]
    argv += [_plain(source.path, folder, SOURCE), wanted]
    done = proc.run(argv, cwd=folder, env=ENVIRONMENT, timeout=DRY_RUN_TIMEOUT)
    plan = quantization.parse_dry_run(done.output) if done.ok else None
    if plan is None:
        raise _failed(source, wanted, done.output)
    if plan.needs_imatrix and imatrix is None:
        raise UsageError(
            f"{wanted} needs an importance matrix",
            why="with so few bits the result would be useless without one",
            next_step=f"smolpc models.quantize {source.name} --type {wanted} --imatrix FILE"
            "   (or a larger type, such as Q4_K_M)",
        )
    return plan


def _run(
    importer: Importer,
    source: Original,
    wanted: str,
    imatrix: Path | None,
    plan: DryRun,
    folder: Path,
) -> Path:
    """Make the file in `folder`, under a plain relative name."""
    cpu, memory = importer.host.cpu, importer.host.memory.available
    buffer = min(MOST_BUFFER, max(LEAST_BUFFER, memory // 4 // MIB)) if memory else LEAST_BUFFER
    argv = [
        *_program(importer),
        *(("--allow-requantize",) if plan.requantized else ()),
        *_imatrix(imatrix, folder),
        *("--max-buffer-size", str(buffer)),
        _plain(source.path, folder, SOURCE),
        RESULT,
        wanted,
        str(max(1, int(cpu.usable_cores))),
    ]
    title = f"quantize {source.name} to {wanted}"
    with importer.reporter.task(title, total=plan.tensors, unit="tensors") as task:

        def on_line(line: str) -> None:
            importer.reporter.check()
            found = quantization.progress(line)
            if found is not None:
                task.update(*found)

        done = proc.run(
            argv,
            cwd=folder,
            env=ENVIRONMENT,
            timeout=TIMEOUT,
            on_line=on_line,
            guard=folder / GUARD,
        )
    if not done.ok:
        raise _failed(source, wanted, done.output)
    return folder / RESULT


def _program(importer: Importer) -> Sequence[str]:
    """The engine's own `llama-quantize`, whose artifact was hashed when it was opened."""
    for name in importer.artifact.files:
        folder, _, file = name.partition("/")
        if folder == "bin" and file.removesuffix(".exe") == "llama-quantize":
            return [str(importer.folder / name)]
    raise PrerequisiteError(
        "the engine has no llama-quantize",
        why=f"the artifact {importer.artifact.key[:12]} was built without it",
        next_step="smolpc setup   (it builds the engine of this version)",
    )


def _imatrix(path: Path | None, folder: Path) -> tuple[str, ...]:
    return ("--imatrix", _plain(path.resolve(), folder, IMATRIX)) if path else ()


def _plain(path: Path, folder: Path, name: str) -> str:
    """How the program, which runs in `folder`, is told of `path`. On Windows it takes its
    arguments in the system's own encoding, so other letters need a link with a plain `name`."""
    if str(path).isascii():
        return str(path)
    if not (folder / name).exists():
        adopt.bring(path, folder / name, how="shared", what=f"read {path.name}")
    return name


def _failed(source: Original, wanted: str, output: str) -> BuildError:
    return BuildError(
        f"{source.name} could not be quantized to {wanted}",
        why=quantization.reason(output.splitlines()),
        next_step="smolpc models.quantize MODEL --type TYPE   (with another type, or an F16 file)",
    )


def _header(path: Path) -> GgufHeader:
    with gguf.local_file(path) as stream:
        return gguf.read_header(stream)


def _hash(importer: Importer, path: Path) -> str:
    return files.sha256_shown(path, f"hash {path.name}", importer.reporter)
