"""Chat templates are data from the internet, rendered as Hugging Face would."""

from __future__ import annotations

import pytest

from smolpc.errors import UsageError
from smolpc.runtime.chat import render
from smolpc.schema.running import Message

CHATML = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nBe kind.<|im_end|>\n' }}{% endif %}"
    "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
HELLO = [Message(role="user", content="Grüß dich <b>")]


def test_a_chatml_template_ends_where_the_answer_begins() -> None:
    assert render(CHATML, HELLO) == (
        "<|im_start|>system\nBe kind.<|im_end|>\n"
        "<|im_start|>user\nGrüß dich <b><|im_end|>\n<|im_start|>assistant\n"
    )


def test_bos_eos_and_block_trimming_are_as_in_transformers() -> None:
    template = (
        "{{ bos_token }}\n{% for m in messages %}\n  {% if m.role == 'user' %}\n"
        "[{{ m.content }}]{{ eos_token }}\n  {% endif %}\n{% endfor %}\n"
    )
    assert render(template, HELLO, bos="<s>", eos="</s>") == "<s>\n[Grüß dich <b>]</s>\n"


def test_tojson_keeps_non_ascii_and_html_as_they_are() -> None:
    template = "{{ messages | tojson }}"
    assert render(template, HELLO) == '[{"role": "user", "content": "Grüß dich <b>"}]'


def test_loop_controls_and_strftime_are_there() -> None:
    template = "{{ strftime_now('%Y') | length }}{% for m in messages %}{% break %}{% endfor %}"
    assert render(template, HELLO) == "4"


def test_a_template_may_refuse_a_conversation() -> None:
    with pytest.raises(UsageError) as caught:
        render("{{ raise_exception('roles must alternate') }}", HELLO)
    assert caught.value.why == "roles must alternate"
    assert "--raw" in caught.value.next_step


@pytest.mark.parametrize(
    "template",
    [
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        "{{ messages.append(1) }}",
        "{% for i in range(10**9) %}{% endfor %}",
        "{% broken",
    ],
)
def test_a_hostile_or_broken_template_is_an_error_and_nothing_else(template: str) -> None:
    with pytest.raises(UsageError):
        render(template, HELLO)
