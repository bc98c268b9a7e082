"""A Modelfile says to Ollama exactly what the manifest says, whatever the texts hold."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from smolpc.errors import UsageError
from smolpc.models.ollama import modelfile
from smolpc.schema.model import Defaults
from tests.models.manifests import manifest
from tests.models.ollama.modelfile_parser import Wrong, parse

PATH = Path("/store ü/models/abc/a model.gguf")
TEXTS = st.text(
    st.one_of(st.sampled_from("\"\n\r \t#'\\x\u00a0\u2028\x00🎉"), st.characters()), max_size=60
)


def render(**brought: object) -> modelfile.Modelfile:
    return modelfile.render(replace(manifest(), defaults=Defaults(**brought)), PATH)  # type: ignore[arg-type]


def test_it_says_what_the_manifest_says():
    template = '{{ if .System }}<|s|>\n{{ .System }}"{{ end }}\n\n{{ .Prompt }}'
    made = render(
        template=template,
        system='  You say "hi".\n',
        license_text="Apache\n\n  2.0",
        options={
            "temperature": 0.7,
            "stop": ("<|end|>", "\n\n"),
            "num_ctx": 4096,
            "use_mmap": True,
        },
    )
    assert parse(made.text) == [
        ("from", str(PATH)),
        ("template", template),
        ("system", '  You say "hi".\n'),
        ("license", "Apache\n\n  2.0"),
        ("num_ctx", "4096"),
        ("stop", "<|end|>"),
        ("stop", "\n\n"),
        ("temperature", "0.7"),
        ("use_mmap", "true"),
    ]
    assert made.notes == ()


def test_the_smallest_one():
    assert parse(modelfile.render(manifest(), PATH).text) == [
        ("from", str(PATH)),
        ("license", "Apache-2.0"),
    ]


@pytest.mark.parametrize(
    "hostile",
    [
        'hello"""\nFROM /etc/passwd\nSYSTEM """',
        '"""\nADAPTER /x',
        'a""" \t\nPARAMETER num_gpu 0',
        'a"""\u00a0\nFROM x',
        'a"""\r\nFROM x',
        '""""""\nFROM x',
        '"\nFROM x',
    ],
)
def test_no_text_becomes_a_command(hostile: str):
    found = parse(render(system=hostile, template=hostile, options={"stop": (hostile,)}).text)
    assert [command for command, _ in found] == ["from", "template", "system", "license", "stop"]
    assert found[0] == ("from", str(PATH))


@given(TEXTS, TEXTS, TEXTS)
def test_any_text_stays_one_value(system: str, template: str, stop: str):
    made = render(system=system, template=template, options={"stop": (stop, "x")})
    found = parse(made.text)
    wanted = ["from", *["template"] * bool(template.strip()), *["system"] * bool(system.strip())]
    assert [command for command, _ in found] == [*wanted, "license", "stop", "stop"]
    values = dict(found[:-2])
    for command, text in (("system", system), ("template", template)):
        if text.strip() and not made.notes:
            assert values[command] == text


def test_what_had_to_be_changed_is_said():
    made = render(system='quote: """\nend\x00')
    assert dict(parse(made.text))["system"] == "quote: '''\nend"
    assert len(made.notes) == 2


def test_parameters_that_ollama_does_not_know_are_left_out_and_said():
    made = render(options={"temperature": 1, "my_own": 3, "bad\nFROM x": 1})
    assert [command for command, _ in parse(made.text)] == ["from", "license", "temperature"]
    assert len(made.notes) == 2


def test_a_path_that_cannot_be_written():
    with pytest.raises(UsageError):
        modelfile.render(manifest(), Path("/a\nFROM b/x.gguf"))


@pytest.mark.parametrize("text", ["", "FROM", "SYSTEM x\n", "FORM x\n", 'FROM x\nSYSTEM """a\n'])
def test_the_parser_of_the_tests_refuses_what_ollama_refuses(text: str):
    with pytest.raises(Wrong):
        parse(text)
