"""What every command does with what goes wrong."""

from __future__ import annotations

import errno

import pytest
from invoke.context import Context
from invoke.exceptions import Exit

from smolpc.cli.app import command
from smolpc.console import Console


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOENT, errno.EISDIR, errno.ELOOP])
def test_what_the_system_refuses_is_an_error_without_a_traceback(
    code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    @command(name="refused")
    def refused(console: Console) -> None:
        """Fail."""
        raise OSError(code, "the words of the system", "/dev/null")

    with pytest.raises(Exit) as ended:
        refused(Context())
    assert ended.value.code == 3
    said = capsys.readouterr().err
    assert "/dev/null" in said and "the words of the system" in said and "next:" in said


def test_an_error_that_names_no_place_is_a_bug_and_shows_itself() -> None:
    @command(name="broken")
    def broken(console: Console) -> None:
        """Fail."""
        raise OSError(errno.EINVAL, "x")

    with pytest.raises(OSError, match="x"):
        broken(Context())
