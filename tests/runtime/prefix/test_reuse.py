"""Whatever is asked, in whatever process: the rows are right, and exact reuse changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from smolpc.runtime.cache import Cache
from smolpc.runtime.prefix.reuse import PrefixReuse, way_for, worth_storing
from smolpc.runtime.prefix.shelf import Shelf
from smolpc.schema.running import Request, Reuse, Sampling
from tests.sim.rows import RowEngine

KEY = "ab" * 32
Kind = Literal["plain", "recurrent", "window", "full window"]
KINDS: tuple[Kind, ...] = ("plain", "recurrent", "window", "full window")


class Process:
    """One loaded model."""

    def __init__(self, kind: Kind, folder: Path | None) -> None:
        self.kind: Kind = kind
        self.engine = self.new_engine()
        self.shelf = Shelf(folder, KEY, 10**8) if folder else None
        whole = kind == "full window"
        self.prefix = PrefixReuse(self.engine, None, self.shelf, full_window=whole)
        self.cache = Cache(self.engine, None)

    def new_engine(self) -> RowEngine:
        return RowEngine(recurrent=self.kind == "recurrent", window=50 * ("window" in self.kind))

    def ask(self, prompt: list[int], how: Reuse, answer: list[int]) -> tuple[int, int]:
        """The logits after `prompt`, and how many tokens were reused."""
        kept = self.prefix.reuse(self.cache, prompt, how)
        assert self.cache.held == prompt[:kept]
        assert len(self.engine.rows) == kept < len(prompt)
        logits = self.engine.compute(prompt)
        self.cache.held[:] = prompt
        self.prefix.computed(self.cache, prompt)
        self.prefix.store(self.cache, prompt, seconds=60)
        self.prefix.close()
        for token in answer:
            self.engine.add(token, "alone")
            self.cache.held.append(token)
        return logits, kept


Asked = tuple[list[int], list[int], Reuse, bool]


@st.composite
def conversations(draw: st.DrawFn) -> list[Asked]:
    """Prompts, answers, kinds of reuse, and whether a new process asks. A prompt may begin as
    what was said before, with the answer or a part of it."""
    asked: list[Asked] = []
    said: list[list[int]] = [[]]
    for _ in range(draw(st.integers(1, 5))):
        before = draw(st.sampled_from(said))
        shared = draw(st.just(len(before)) | st.integers(0, len(before)))
        more = draw(st.sampled_from((1, 5, 63, 64, 100, 128, 300)) | st.integers(1, 400))
        prompt = before[:shared] + [draw(st.integers(0, 1))] * more
        answer = [7] * draw(st.sampled_from((0, 1, 64, 150)))
        how: Reuse = draw(st.sampled_from(("exact", "exact", "fast", "off")))
        asked.append((prompt, answer, how, draw(st.booleans())))
        said += [prompt, prompt + answer]
    return asked


MIXED: dict[str, list[Asked]] = {
    "answer": [
        ([1] * 192, [7] * 64, "fast", False),
        ([*[1] * 192, *[7] * 64, *[2] * 64], [], "fast", False),
        ([*[1] * 192, *[7] * 64, *[2] * 64, *[3] * 100], [], "exact", False),
    ],
    "uneven batch": [
        ([1] * 200, [], "fast", False),
        ([*[1] * 70, *[2] * 186], [], "fast", False),
        ([*[1] * 70, *[2] * 186, *[3] * 100], [], "exact", False),
    ],
}


@settings(max_examples=100)
@example(asked=MIXED["answer"], kind="plain", on_disk=False)
@example(asked=MIXED["uneven batch"], kind="plain", on_disk=False)
@given(asked=conversations(), kind=st.sampled_from(KINDS), on_disk=st.booleans())
def test_exact_reuse_computes_the_same_as_a_run_from_nothing(
    tmp_path_factory: pytest.TempPathFactory, asked: list[Asked], kind: Kind, on_disk: bool
) -> None:
    folder = tmp_path_factory.mktemp("rows") if on_disk else None
    process = Process(kind, folder)
    for prompt, answer, how, anew in asked:
        if anew:
            process = Process(kind, folder)
        logits, kept = process.ask(prompt, how, answer)
        if how != "fast":
            assert logits == process.new_engine().compute(prompt)
        if how == "off":
            assert kept == 0
        assert process.prefix.notes() == ()


PROMPT = [n % 50 for n in range(700)]


@pytest.mark.parametrize(("kind", "kept"), [("plain", 640), ("recurrent", 0), ("window", 640)])
def test_a_question_asked_again_computes_its_end_only(kind: Kind, kept: int) -> None:
    process = Process(kind, None)
    process.ask(PROMPT, "exact", [7, 7])
    assert process.ask(PROMPT, "exact", [])[1] == min(kept, 700 - 64 - (700 - 64) % 64)


@pytest.mark.parametrize("kind", KINDS)
def test_a_conversation_goes_on_at_its_end(kind: Kind) -> None:
    process = Process(kind, None)
    process.ask(PROMPT, "fast", [7, 7])
    assert process.ask([*PROMPT, 7, 7, 1, 2], "fast", [])[1] == 702


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_process_goes_on_after_a_stored_prompt(kind: Kind, tmp_path: Path) -> None:
    Process(kind, tmp_path).ask(PROMPT, "fast", [7, 7])
    assert Process(kind, tmp_path).ask([*PROMPT, 1, 2], "fast", [])[1] == 700


@pytest.mark.parametrize(
    ("kind", "kept"), [("plain", 576), ("recurrent", 0), ("window", 0), ("full window", 576)]
)
def test_a_new_process_asks_again(kind: Kind, kept: int, tmp_path: Path) -> None:
    """What the window has passed is needed to cut a stored prompt at a group of rows."""
    Process(kind, tmp_path).ask(PROMPT, "exact", [7, 7])
    assert Process(kind, tmp_path).ask(PROMPT, "exact", [])[1] == kept


def test_a_longer_prompt_takes_the_place_of_what_it_begins_with(tmp_path: Path) -> None:
    process = Process("plain", tmp_path)
    process.ask(PROMPT, "fast", [])
    process.ask([*PROMPT, *range(300)], "fast", [])
    assert len(list(tmp_path.rglob("*.kv"))) == 1
    assert Process("plain", tmp_path).ask([*PROMPT, 1], "fast", [])[1] == 700


def test_a_state_that_the_engine_refuses_is_deleted_and_said(tmp_path: Path) -> None:
    process = Process("plain", tmp_path)
    assert process.shelf is not None
    path = process.shelf.put(PROMPT, 640, b"of another engine")
    logits, kept = process.ask([*PROMPT, 1], "exact", [])
    assert (logits, kept) == (RowEngine().compute([*PROMPT, 1]), 0)
    assert any("refused" in note for note in process.prefix.notes())
    assert path != next(tmp_path.rglob("*.kv"), None)


def test_short_prompts_and_fast_ones_are_not_stored() -> None:
    assert not worth_storing(computed=255, seconds=60, size=1000)
    assert not worth_storing(computed=1000, seconds=0.1, size=500_000_000)
    assert worth_storing(computed=256, seconds=1, size=6_000_000)


@pytest.mark.parametrize(
    ("request_", "way"),
    [
        (Request(), "exact"),
        (Request(sampling=Sampling(temperature=0.7)), "fast"),
        (Request(sampling=Sampling(temperature=0.7, seed=0)), "exact"),
        (Request(reuse="fast"), "fast"),
        (Request(reuse="off"), "off"),
    ],
)
def test_what_must_repeat_is_reused_exactly(request_: Request, way: Reuse) -> None:
    assert way_for(request_, "auto") == way
    assert way_for(request_, "off") == (request_.reuse or "off")


def test_ctrl_c_while_a_state_is_loaded_leaves_nothing_wrong_behind(tmp_path: Path) -> None:
    Process("plain", tmp_path).ask(PROMPT, "fast", [])
    process = Process("plain", tmp_path)
    before = [3] * 300
    process.ask(before, "fast", [])
    load = process.engine.llama_state_seq_set_data

    def pressed(*arguments: Any) -> int:
        load(*arguments)
        raise KeyboardInterrupt  # Python raises it when the engine's call has returned

    process.engine.llama_state_seq_set_data = pressed  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        process.prefix.reuse(process.cache, [*PROMPT, 1], "fast")
    process.cache.tidy()  # as the decoder does
    process.engine.llama_state_seq_set_data = load  # type: ignore[method-assign]
    logits, _ = process.ask([*before, 1, 2], "exact", [])
    assert logits == RowEngine().compute([*before, 1, 2])
