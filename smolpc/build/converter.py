"""The engine's converter from Hugging Face folders, and the Python it runs in.

The script is part of the sealed engine source. It needs PyTorch and transformers: gigabytes
that only this command needs, so they go into an environment of their own in the store, and
only when the user has said so.
"""

from __future__ import annotations

import re
import sys
import tempfile
from pathlib import Path

from smolpc import files, proc
from smolpc.build.source import Tree
from smolpc.console import Reporter, human_bytes
from smolpc.errors import BuildError, PrerequisiteError
from smolpc.schema.base import digest_of
from smolpc.store import Store

SCRIPT = "convert_hf_to_gguf.py"
REQUIREMENTS = "requirements/requirements-convert_hf_to_gguf.txt"
# What the script imports before it looks at anything.
MODULES = ("numpy", "sentencepiece", "torch", "transformers", "yaml", "tqdm")
# PyTorch for the processor and the rest were measured at 1.3 GB on Linux; the build with
# CUDA that some indexes give instead takes about 7 GB.
INSTALLED_BYTES, MOST_BYTES = 1_300_000_000, 7_000_000_000
INSTALL_TIMEOUT = 2 * 3600.0  # seconds
CONVERT_TIMEOUT = 12 * 3600.0
PERCENT = re.compile(r"^Writing: +(\d+)%")
ENVIRONMENT: dict[str, str | None] = {
    "PYTHONPATH": None,
    "PYTHONHOME": None,
    "PYTHONDONTWRITEBYTECODE": "1",  # the sealed source stays as it was verified
    "PYTHONUTF8": "1",
    "NO_LOCAL_GGUF": None,  # the tree's own gguf package, not an installed one
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
}


def environment_of(store: Store, tree: Tree) -> Path:
    """Where the converter's packages are, whether they are there or not."""
    texts = [path.read_text(encoding="utf-8") for path in _requirement_files(tree)]
    return store.tools / f"convert-{digest_of([texts, sys.version_info[:2]])[:16]}"


def python_for(store: Store, tree: Tree, *, install: bool, reporter: Reporter) -> Path:
    """The Python of the converter's environment, which `install` allows to be made.

    Raises PrerequisiteError, with what it would take, when it is not there, SpaceError, and
    BuildError when pip cannot install it.
    """
    folder = environment_of(store, tree)
    if files.is_sealed(folder):
        files.require_unchanged(folder, "the converter's environment")
        return _python(folder)
    if not install:
        raise PrerequisiteError(
            "converting needs PyTorch and transformers, which are not installed for smolpc",
            why=f"they take about {human_bytes(INSTALLED_BYTES)} in the store (up to"
            f" {human_bytes(MOST_BYTES)}, where pip finds a build for NVIDIA GPUs only);"
            f" {human_bytes(files.free_bytes(store.root))} are free",
            next_step="the same command with --install, or with --python /path/to/python that"
            f" has {', '.join(MODULES)}",
        )
    files.require_space(store.root, MOST_BYTES, "install the converter's packages")
    reporter.note(
        f"installing PyTorch and transformers into {folder}: about"
        f" {human_bytes(INSTALLED_BYTES)}; smolpc uses them only to convert models"
    )
    files.remove_tree(folder)
    store.tools.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=store.tools, prefix=".convert-") as name:
        made = Path(name) / "env"
        _install(made, tree, reporter)
        files.publish(made, folder)
    files.seal(folder)
    return _python(folder)


def _install(made: Path, tree: Tree, reporter: Reporter) -> None:
    """A new environment in `made`, filled by pip as this machine has it configured."""
    with reporter.task("install the converter's packages"):
        for argv in (
            [sys.executable, "-m", "venv", "--copies", str(made)],
            [
                *(str(_python(made)), "-m", "pip", "install", "--no-input"),
                *("--disable-pip-version-check", "--progress-bar", "off"),
                *("-r", str(tree.engine / REQUIREMENTS)),
            ],
        ):
            done = proc.run(argv, timeout=INSTALL_TIMEOUT)
            if not done.ok:
                errors = [line for line in done.output.splitlines() if line.startswith("ERROR")]
                raise BuildError(
                    "the converter's packages could not be installed",
                    why=proc.mask("; ".join(errors[-2:]) or done.tail(3)),
                    next_step="the same command with --python /path/to/python that has"
                    f" {', '.join(MODULES)}",
                )


def given_python(path: Path) -> Path:
    """The user's own Python for the converter. Raises PrerequisiteError when it lacks
    something."""
    code = f"import importlib.util as u; print([m for m in {MODULES} if not u.find_spec(m)])"
    done = proc.run([str(path), "-c", code], env=ENVIRONMENT, timeout=60)
    missing = done.output.strip().splitlines()[-1:]
    if not done.ok or missing != ["[]"]:
        raise PrerequisiteError(
            f"{path} cannot run the converter",
            why=f"it lacks {missing[0].strip('[]')}" if done.ok and missing else done.tail(2),
            next_step=f"{path} -m pip install torch transformers sentencepiece numpy pyyaml tqdm",
        )
    return path


def convert(
    python: Path, tree: Tree, folder: Path, kind: str, out: Path, *, reporter: Reporter
) -> None:
    """Write the model in `folder` as the GGUF file `out`, of type `kind`.

    The source is hashed before any of it runs. Raises TrustError when it was changed and
    BuildError, with the converter's last words, when it fails.
    """
    files.require_unchanged(tree.root, "the engine's source")
    argv = [str(python), "-B", str(tree.engine / SCRIPT), str(folder)]
    argv += ["--outtype", kind.lower(), "--outfile", str(out)]
    with reporter.task(f"convert {folder.name}", total=100, unit="%") as task:

        def on_line(line: str) -> None:
            reporter.check()
            found = PERCENT.match(line)
            if found:
                task.update(int(found[1]))

        done = proc.run(
            argv,
            cwd=out.parent,
            env=ENVIRONMENT,
            timeout=CONVERT_TIMEOUT,
            on_line=on_line,
            guard=out.parent / "guard.lock",
        )
    if not done.ok or not out.is_file():
        raise BuildError(
            f"{folder.name} could not be converted",
            why=_last_words(done.output),
            next_step="smolpc --help models.convert   (the folder must hold config.json, the"
            " weights and the tokenizer of a model that the engine knows)",
        )


def _last_words(output: str) -> str:
    """The last line that says something: of a traceback, the error."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it gave no reason"


def _requirement_files(tree: Tree) -> list[Path]:
    """The requirements and what they include."""
    first = tree.engine / REQUIREMENTS
    included = re.findall(r"^-r +(\S+)", first.read_text(encoding="utf-8"), re.MULTILINE)
    return [first, *(first.parent / name for name in included)]


def _python(folder: Path) -> Path:
    """The interpreter of an environment, where it has one on this system."""
    windows, posix = folder / "Scripts" / "python.exe", folder / "bin" / "python"
    return windows if windows.exists() else posix
