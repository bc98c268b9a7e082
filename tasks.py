"""`invoke <task>` in a checkout: the tasks of the `smolpc` command, plus `test`."""

import sys

from invoke import Context, task

from smolpc.cli import namespace as ns


@task
def test(c: Context, unit: bool = False) -> None:
    """Run the tests: the quick unit tests first, then those with the real engine."""
    quick = ["-m", "not integration", "--ignore=tests/integration", "-n", "auto"]
    runs = [quick] if unit else [quick, ["-m", "integration"]]
    for selected in runs:
        arguments = " ".join(f"'{word}'" for word in selected)
        c.run(f"'{sys.executable}' -m pytest {arguments}", pty=False)


ns.add_task(test)
