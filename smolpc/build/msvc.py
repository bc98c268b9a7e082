"""The environment that Microsoft's compiler needs: its own batch file is asked for it."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path, PureWindowsPath

from smolpc import proc
from smolpc.errors import PrerequisiteError

WANTED = ("INCLUDE", "LIB", "LIBPATH", "PATH", "VCTOOLSINSTALLDIR", "WINDOWSSDKVERSION")


def batch_file(compiler: str) -> PureWindowsPath:
    r"""vcvars64.bat beside the `VC\Tools` folder that `compiler` (cl.exe) lies in."""
    path = PureWindowsPath(compiler)
    home = next(parent for parent in path.parents if parent.name.lower() == "tools").parent
    return home / "Auxiliary" / "Build" / "vcvars64.bat"


def parse(output: str) -> dict[str, str | None]:
    """The wanted variables of the output of `set` (NAME=value lines, any case)."""
    pairs = (line.partition("=") for line in output.splitlines())
    return {name.upper(): value for name, _, value in pairs if name.upper() in WANTED and value}


@functools.cache
def environment(compiler: str) -> dict[str, str | None]:
    """Variables to lay over the environment so that `compiler` finds headers and libraries.

    Raises PrerequisiteError when Visual Studio does not answer.
    """
    batch = batch_file(compiler)
    script = f'@chcp 65001 >nul\r\n@call "{batch}" >nul\r\n@set\r\n'
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "environment.bat"
        path.write_text(script, encoding="utf-8")
        done = proc.run(["cmd.exe", "/d", "/c", str(path)], timeout=120)
    found = parse(done.output)
    if "INCLUDE" not in found:
        raise PrerequisiteError(
            "Visual Studio's compiler does not say where its headers are",
            why=f"{batch} ended with code {done.code}",
            next_step="open the Visual Studio Installer, choose 'Repair', then: smolpc setup",
        )
    return found
