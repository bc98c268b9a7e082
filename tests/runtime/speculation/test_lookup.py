"""The index: what it must find, whatever the text."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from smolpc.runtime.speculation.lookup import KEY, LONGEST, Lookup

TOKENS = st.lists(st.integers(0, 4), max_size=80)


def fed(prompt: Sequence[int], answer: Sequence[int] = (), files: Sequence[Sequence[int]] = ()):
    lookup = Lookup(files)
    lookup.extend(prompt)
    for token in answer:
        lookup.add(token)
    return lookup


def right_guesses(lookup: Lookup, answer: Sequence[int]) -> list[bool]:
    """For each token of the answer, whether it was the expected one."""
    return [lookup.add(token) is True for token in answer]


def test_a_copy_is_followed_to_its_end() -> None:
    text = list(range(100, 160))
    lookup = fed([*text, 1, 2, *text[:KEY]])
    assert lookup.guess(10) == text[KEY : KEY + 10]
    assert all(right_guesses(lookup, text[KEY:]))


def test_it_knows_the_texts_of_files() -> None:
    text = list(range(100, 160))
    lookup = fed([1, 2], text[:KEY], files=[[7, 8, 9], text])
    assert lookup.guess(100) == text[KEY:]  # and stops where the file ends


def test_no_match_reaches_over_the_end_of_a_file() -> None:
    assert fed([3, 4], [5], files=[[1, 2], [3, 4, 5]]).guess(9) == []
    assert fed([1, 2, 3], files=[[1, 2], [3, 9, 9]]).guess(9) == []


def test_the_longest_match_wins_over_the_latest() -> None:
    prompt = [9, 8, 1, 2, 3, 50, 0, 7, 7, 1, 2, 3, 60, 0, 9, 8, 1, 2, 3]
    assert fed(prompt).guess(1) == [50]


def test_of_equal_matches_the_latest_wins() -> None:
    assert fed([1, 2, 3, 50, 0, 1, 2, 3, 60, 5, 1, 2, 3]).guess(1) == [60]


def test_a_text_that_repeats_itself_is_continued_without_end() -> None:
    assert fed([1, 2, 3, 1, 2, 3, 1, 2, 3]).guess(7) == [1, 2, 3, 1, 2, 3, 1]


def test_after_a_replaced_token_the_copy_goes_on_at_once() -> None:
    text = list(range(100, 160))
    edited = [*text[:20], 7, *text[21:]]
    wrong = [
        i for i, right in enumerate(right_guesses(fed(text, edited[:3]), edited[3:])) if not right
    ]
    assert wrong == [17]


def test_after_a_longer_change_the_copy_is_taken_up_within_two_tokens() -> None:
    text = list(range(100, 160))
    for new, left_out in (([7, 8, 9], 1), ([7, 8], 5), ([], 4), ([7, 8, 9, 10, 11], 0)):
        edited = [*text[:20], *new, *text[20 + left_out :]]
        after = right_guesses(fed(text, edited[:3]), edited[3:])[17 + len(new) :]
        assert after.count(False) <= 2
        assert all(after[2:])


@given(TOKENS, TOKENS, st.integers(1, 40))
def test_guesses_are_what_followed_before(prompt: list[int], answer: list[int], most: int) -> None:
    lookup = fed(prompt, answer)
    known = prompt + answer
    guess = lookup.guess(most)
    assert len(guess) in (0, most)
    assert (lookup.expected is None) == (not guess)
    assert guess[:1] == ([] if lookup.expected is None else [lookup.expected])
    if lookup.matched >= KEY:  # and what agreed before the guess really did
        tail = known[-min(lookup.matched, LONGEST) :]
        ends = [i for i in range(len(tail), len(known)) if known[i - len(tail) : i] == tail]
        continued = [(known[end:] + guess)[:most] for end in ends]
        assert guess in continued


@given(TOKENS, TOKENS)
def test_a_place_is_found_whenever_the_key_was_seen_before(
    prompt: list[int], answer: list[int]
) -> None:
    known = prompt + answer
    tail = known[-KEY:]
    seen = any(known[i : i + KEY] == tail for i in range(len(known) - KEY))
    if len(tail) == KEY and seen:
        assert fed(prompt, answer).matched >= KEY
