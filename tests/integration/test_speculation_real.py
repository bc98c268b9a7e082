"""Speculation with the real engine and model: the answer is the one without it."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from smolpc.runtime.engine import Engine
from smolpc.runtime.loaded import Loaded
from smolpc.runtime.sampling import Choose
from smolpc.schema.fit import FitSettings
from smolpc.schema.result import RunResult
from smolpc.schema.running import Request, RunSettings, Sampling, Speculation

pytestmark = pytest.mark.integration

CODE = '''\
def read_table(path, separator=","):
    """Rows of a text file as lists of cells."""
    rows = []
    with open(path, encoding="utf-8") as stream:
        for line in stream:
            cells = line.rstrip("\\n").split(separator)
            rows.append([cell.strip() for cell in cells])
    return rows


def total(rows, column):
    """The sum of one column; cells that are no numbers count as zero."""
    result = 0.0
    for row in rows:
        try:
            result += float(row[column])
        except (IndexError, ValueError):
            continue
    return result
'''
JAVA = """\
public class Counter {
    private int value = 0;
    public void increment() { value = value + 1; }
    public void decrement() { value = value - 1; }
    public int getValue() { return value; }
}
"""
TEXTS = (
    "Die Größe der Brüche wächst. Die Größe der Brüche wächst. Die Größe der",
    "Числа 1, 2, 3, 4, 5, 6. Числа 1, 2, 3, 4,",
    "日本語の文章です。日本語の文章です。日本語の",
    "naïve café, naïve café, naïve",
    "😀 😃 😄 😀 😃 😄 😀",
    "Ελληνικά γράμματα: α β γ δ. Ελληνικά γράμματα: α β",
    "Le garçon mange une pomme. Le garçon boit de l'eau. Le garçon",
    "ąćęłńóśźż ąćęłńóśźż ąćęłń",
)
QUESTIONS = (
    "Write a short story about a fox.",
    "What is the capital of France, and why is it famous?",
    "Explain photosynthesis to a child.",
    "Write a Python function that adds two numbers.",
    "List ten animals.",
    "Count from 1 to 30.",
    "Say the word hello twenty times.",
    "Give me a recipe for pancakes.",
    "Write a poem about the sea.",
    "What is a prime number?",
    "Translate 'good morning' to German, French and Spanish.",
    "Write an HTML page with three headings.",
    "Why is the sky blue?",
    "Describe a computer.",
    "Write a letter to a friend.",
    "Schreibe einen Satz über Bäume.",
    "¿Qué es la fotosíntesis?",
    "Repeat: one two three, one two three.",
    "Make a table of the first five square numbers.",
    "What do you know about the Moon?",
)


def prompts() -> list[Request]:
    """Fifty: copies of code that begin at different places, repetition, questions."""
    copies = [
        f"{text}\n# The same file again:\n{text[:start]}"
        for text in (CODE, JAVA)
        for start in (20, 45, 80, 110, 140, 170, 200, 215, 150, 60, 130)
    ]
    raw = [Request(prompt=text, raw=True) for text in (*copies, *TEXTS)]
    return raw + [Request(prompt=text) for text in QUESTIONS]


def opened(artifact: Path, model: Path, threads: int) -> Engine:
    memory = FitSettings(context=2048, gpu_layers=0)
    return Engine.open(
        model, artifact=artifact, settings=RunSettings(memory=memory, threads=threads)
    )


@pytest.fixture(scope="module")
def loaded(real_artifact: Path, real_model: Path) -> Iterator[Loaded]:
    """One thread: this engine then computes every batch exactly, at any depth."""
    with opened(real_artifact, real_model, 1) as engine:
        yield engine.loaded()


def answer(loaded: Loaded, mode: Speculation, request: Request, tokens: int) -> RunResult:
    loaded.guessing.mode = mode
    prompt, _ = loaded.prompt_tokens(request)
    limited = Request(prompt="", sampling=request.sampling, max_tokens=tokens, files=request.files)
    return loaded.complete(prompt, limited, ignore_end=True).result


def test_greedy_answers_to_fifty_prompts_are_the_same(loaded: Loaded) -> None:
    asked = prompts()
    assert len(asked) == 50
    accepted = 0
    for request in asked:
        plain = answer(loaded, "off", request, 64)
        guessed = answer(loaded, "auto", request, 64)
        assert guessed.text == plain.text
        assert plain.drafted_tokens == 0
        accepted += guessed.accepted_tokens
    assert accepted > 400  # else nothing was tested
    assert not loaded.decoder.verifier.exact.failed


def test_the_same_seed_draws_the_same_text(loaded: Loaded) -> None:
    """Acceptance consumes exactly the random numbers that single tokens would."""
    accepted = 0
    for seed, request in enumerate(prompts()[:40:4]):
        drawn = Request(
            prompt=request.prompt, raw=request.raw, sampling=Sampling(temperature=0.7, seed=seed)
        )
        plain = answer(loaded, "off", drawn, 48)
        guessed = answer(loaded, "auto", drawn, 48)
        assert guessed.text == plain.text
        accepted += guessed.accepted_tokens
    assert accepted > 50


def test_several_threads_change_nothing_at_any_depth(real_artifact: Path, real_model: Path) -> None:
    """Where the kernels round a batch differently, "auto" does not use it."""
    shallow = Request(prompt=JAVA * 3, raw=True)  # the answer passes 256 tokens
    deep = Request(prompt=CODE * 3 + CODE[:100], raw=True)
    with opened(real_artifact, real_model, 2) as engine:
        loaded = engine.loaded()
        assert 128 < engine.count_tokens(shallow) < 230
        for request in (shallow, deep):
            plain = answer(loaded, "off", request, 80)
            guessed = answer(loaded, "auto", request, 80)
            assert guessed.text == plain.text
            assert guessed.notes == plain.notes
        exact = not loaded.decoder.verifier.exact.failed
        assert (guessed.accepted_tokens > 0) == exact
        asked = answer(loaded, "ngram", deep, 80)
        assert asked.accepted_tokens > 0
        assert any("rounds" in note for note in asked.notes) == (not exact)


def test_files_are_a_source_of_guesses(loaded: Loaded) -> None:
    """What the answer repeats may stand in a file that the prompt does not contain."""
    request = Request(prompt="The numbers: 1, 2, 3, 4, 5,", raw=True)
    said = answer(loaded, "off", request, 48).text
    without = answer(loaded, "auto", request, 48)
    known = Request(prompt=request.prompt, raw=True, files=(request.prompt + said,))
    guessed = answer(loaded, "auto", known, 48)
    assert guessed.text == without.text == said
    assert guessed.accepted_tokens > without.accepted_tokens


class Forced:
    """Guesses the same tokens everywhere, however unlikely."""

    def __init__(self, draft: Sequence[int]) -> None:
        self.draft = draft

    def propose(self, tokens: Sequence[int], at_most: int) -> Sequence[int]:
        del tokens
        return self.draft[:at_most]

    def feedback(self, proposed: int, accepted: int, seconds: float) -> None:
        """Nothing is learned."""


def second_tokens(
    loaded: Loaded, seeds: range, draft: Sequence[int], monkeypatch: pytest.MonkeyPatch
) -> Counter[str]:
    """How often each text was the answer's second token, which the draft guessed first."""
    prompt = loaded.vocabulary.tokens("My favourite animal is the")
    drafter = Forced(draft) if draft else None
    monkeypatch.setattr(loaded.guessing, "drafter", lambda *_: drafter)
    said: Counter[str] = Counter()
    for seed in seeds:
        sampling = Sampling(temperature=1.0, top_k=8, seed=seed)
        request = Request(prompt="", sampling=sampling, max_tokens=2)
        pieces = [piece.text for piece in loaded.complete(prompt, request, ignore_end=True)]
        said[pieces[-1]] += 1
    return said


def differ(one: Counter[str], other: Counter[str]) -> bool:
    """Chi-square for two samples of the same size, at a level of one in a thousand."""
    common = [text for text in one | other if one[text] + other[text] >= 20]
    pairs = [(one[text], other[text]) for text in common]
    rest = (one.total() - sum(a for a, _ in pairs), other.total() - sum(b for _, b in pairs))
    pairs += [rest] if sum(rest) else []
    found = sum((a - b) ** 2 / (a + b) for a, b in pairs)
    free = len(pairs) - 1
    # Wilson and Hilferty's approximation of the quantile
    return found > free * (1 - 2 / (9 * free) + 3.09 * (2 / (9 * free)) ** 0.5) ** 3


def test_sampled_tokens_have_the_distribution_of_plain_decoding(
    loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = second_tokens(loaded, range(300), (), monkeypatch)
    second, often = plain.most_common(2)[1]  # right in some cases, wrong in most
    assert 20 < often < 150
    draft = [loaded.vocabulary.tokens(second)[-1]] * 4
    guessed = second_tokens(loaded, range(1000, 1300), draft, monkeypatch)
    assert not differ(plain, guessed)

    # and the test notices when wrong guesses are sometimes accepted
    verifier, coin = loaded.decoder.verifier, random.Random(1)
    right = verifier.verify

    def eager(token: int, draft: Sequence[int], choose: Choose) -> list[int]:
        found = right(token, draft, choose)
        wrong = [guess for guess in draft[len(found) - 1 : len(found)] if guess != found[-1]]
        if wrong and coin.random() < 0.3:
            found[-1] = wrong[0]
        return found

    monkeypatch.setattr(verifier, "verify", eager)
    biased = second_tokens(loaded, range(2000, 2300), draft, monkeypatch)
    assert differ(plain, biased)
