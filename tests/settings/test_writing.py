"""`config.set`: one line changes, everything else stays, or nothing is written."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import settings as bounded
from hypothesis import strategies as st

from smolpc.errors import PrerequisiteError, UsageError
from smolpc.settings.writing import set_value, unset

TEXT = """\
# our school
context: 2048   # enough for us
"threads": 2
models:
  smollm2:      # the small one
    context: 512

# the end
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "Über uns" / "config.yaml"
    found.parent.mkdir()
    found.write_bytes(TEXT.encode())
    return found


def test_a_value_changes_and_nothing_else(path: Path) -> None:
    set_value(path, "context", "4096")
    assert path.read_text("utf-8") == TEXT.replace("2048 ", "4096 ")
    set_value(path, "threads", "4")
    assert '"threads": 4\n' in path.read_text("utf-8")


def test_a_new_value_goes_to_the_end(path: Path) -> None:
    set_value(path, "model", "qwen2.5-coder:7b")
    assert path.read_text("utf-8") == TEXT + "model: qwen2.5-coder:7b\n"


def test_a_line_goes_and_nothing_else(path: Path) -> None:
    unset(path, "context")
    assert path.read_text("utf-8") == TEXT.replace("context: 2048   # enough for us\n", "")
    unset(path, "jobs")  # is not there


def test_a_file_and_its_folder_are_made(tmp_path: Path) -> None:
    new = tmp_path / "new" / "config.yaml"
    set_value(new, "offline", "true")
    assert new.read_text() == "offline: true\n"
    unset(new, "offline")
    assert yaml.safe_load(new.read_text()) is None
    set_value(new, "speculation", "off")
    assert yaml.safe_load(new.read_text()) == {"speculation": "off"}


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("context:\nthreads: 1\n", "context: 7\nthreads: 1\n"),
        ("context: 1", "context: 7"),
        ("threads: 1", "threads: 1\ncontext: 7\n"),
        ("threads: 1\r\ncontext: 2\r\n", "threads: 1\r\ncontext: 7\r\n"),
        ("threads: 1\r\n", "threads: 1\r\ncontext: 7\r\n"),
        ("{context: 1, threads: 2}\n", "{context: 7, threads: 2}\n"),
        ("# ä 😀\nprofile: 'ü'\ncontext: 1 # ß\n", "# ä 😀\nprofile: 'ü'\ncontext: 7 # ß\n"),
    ],
)
def test_files_as_people_write_them(tmp_path: Path, before: str, after: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes(before.encode())
    set_value(path, "context", "7")
    assert path.read_bytes().decode() == after


def test_a_file_of_windows_keeps_its_encoding(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_bytes("profile: ü\n".encode("utf-16"))
    set_value(path, "context", "7")
    assert path.read_bytes().decode("utf-16") == "profile: ü\ncontext: 7\n"


@pytest.mark.parametrize("text", ["{threads: 1}\n", "threads: 1\n...\n", "a: &x 1\ncontext: *x\n"])
def test_what_cannot_be_edited_by_line_is_left_alone(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match="cannot be changed line by line"):
        set_value(path, "context", "7")
    assert path.read_text() == text


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [("contxt", "1", "did you mean 'context'"), ("context", "many", "wrong value")],
)
def test_nothing_wrong_is_written(path: Path, name: str, value: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        set_value(path, name, value)
    assert path.read_text("utf-8") == TEXT


def test_a_project_file_is_not_written_what_it_may_not_say(path: Path) -> None:
    with pytest.raises(UsageError, match="may not set 'store'"):
        set_value(path, "store", "/x", project=True)
    assert path.read_text("utf-8") == TEXT


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write all")
def test_a_file_that_may_not_be_written(path: Path) -> None:
    path.parent.chmod(0o500)
    try:
        with pytest.raises(PrerequisiteError, match="cannot write"):
            set_value(path, "context", "1")
    finally:
        path.parent.chmod(0o700)


# What people put between settings: comments, empty lines, other settings in all YAML styles.
LINES = st.sampled_from(
    [
        "# context: 9",
        "",
        "threads: 3",
        "profile: 'it''s'  # yes",
        'recipes: "a: b # c"',
        "licenses: >\n  MIT\n  Apache-2.0",
        "model_mirrors: |\n  http://a\n",
        "models:\n  a: {context: 1}\n  b:\n    threads: 2",
        "hf_endpoint: http://x:1/y",
        "quiet_hours: a\n  b",
        "jobs:   2",
    ]
)


@bounded(max_examples=100)
@given(
    st.lists(LINES, unique=True, max_size=6),
    st.integers(0, 6),
    st.booleans(),
    st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=12),
)
def test_any_file_any_text(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], at: int, there: bool, value: str
) -> None:
    """Whatever the value: the file then holds it, and all else as before; unset undoes it."""
    if there:
        lines = [*lines[:at], "engine_source: old", *lines[at:]]
    path = tmp_path_factory.mktemp("any") / "config.yaml"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    before = yaml.safe_load(path.read_bytes()) or {}
    stored = set_value(path, "engine_source", value)
    assert yaml.safe_load(path.read_bytes()) == {**before, "engine_source": stored}
    for line in (one for one in lines if one.startswith("#")):
        assert line in path.read_text("utf-8").splitlines()
    unset(path, "engine_source")
    before.pop("engine_source", None)
    assert (yaml.safe_load(path.read_bytes()) or {}) == before
