"""Start-up is a feature: what the command line must not import."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from smolpc import proc

HEAVY = ("rich", "requests", "numpy", "jinja2", "pynvml", "archspec", "psutil", "gguf", "llama_cpp")
LIST = f"import sys; print('loaded:', *(name for name in {HEAVY!r} if name in sys.modules))"


@pytest.mark.integration
@pytest.mark.parametrize(
    "code",
    [
        "import smolpc.cli",
        "import sys; sys.argv = ['smolpc', 'version']\n"
        "from smolpc.cli.main import main\n"
        "try: main()\nexcept SystemExit: pass",
        "from smolpc.runtime import Engine",
    ],
    ids=["import", "version", "runtime"],
)
def test_nothing_heavy_is_imported(code: str) -> None:
    done = proc.run([sys.executable, "-c", f"{code}\n{LIST}"], env={"PYTHONPATH": str(Path.cwd())})
    assert done.ok, done.output
    assert done.output.splitlines()[-1].split() == ["loaded:"]
