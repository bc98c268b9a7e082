"""The files that say which form an answer has."""

from __future__ import annotations

from pathlib import Path

import pytest

from smolpc.cli.forms import grammar_of, schema_of
from smolpc.errors import UsageError
from tests.cli.test_commands import run


def test_files_are_read_as_text_and_as_json(tmp_path: Path) -> None:
    (tmp_path / "ü.gbnf").write_bytes(b'\xef\xbb\xbfroot ::= "ja"\n')
    (tmp_path / "s.json").write_text('{"type": "object"}')
    assert grammar_of(str(tmp_path / "ü.gbnf")) == 'root ::= "ja"\n'
    assert schema_of(str(tmp_path / "s.json")) == {"type": "object"}
    assert (grammar_of(""), schema_of("")) == ("", None)


@pytest.mark.parametrize("data", [b"{", b"[1]", b"\xff\xff", b""])
def test_what_is_no_schema_is_named(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "s.json"
    path.write_bytes(data)
    with pytest.raises(UsageError, match=r"s\.json"):
        schema_of(str(path))


def test_a_missing_file_and_two_forms_are_usage_errors(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        grammar_of(str(tmp_path / "none"))
    assert run("run", "hi", "--grammar", "a", "--json-schema", "b") == 2
    assert "exclude each other" in capsys.readouterr().err
