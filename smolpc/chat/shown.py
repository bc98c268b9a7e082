"""What a chat tells about its answers, as text."""

from __future__ import annotations

from collections.abc import Sequence

from smolpc.schema.result import RunResult

STOPPED = {"length": "cut at the limit", "interrupted": "stopped"}


def one_line(result: RunResult) -> str:
    """The figures of an answer in one line."""
    parts = [f"{result.provider}: {result.generated_tokens} tokens"]
    if result.decode_rate:
        parts.append(f"{result.decode_rate:.1f} tokens/s")
    if result.time_to_first_token:
        parts.append(f"first after {result.time_to_first_token:.2f} s")
    if result.stop in STOPPED:
        parts.append(STOPPED[result.stop])
    return ", ".join(parts)


def statistics(results: Sequence[RunResult]) -> list[str]:
    """`/stats`: the last answer, and all of them together."""
    if not results:
        return ["no answer yet"]
    last, total = results[-1], sum(one.generated_tokens for one in results)
    lines = [
        f"model       {last.model}",
        f"answered by {last.provider}" + (f" on {last.backend}" if last.backend else ""),
        f"prompt      {last.prompt_tokens} tokens, {last.prompt_rate:.0f} tokens/s",
        f"answer      {last.generated_tokens} tokens, {last.decode_rate:.1f} tokens/s",
        f"first token after {last.time_to_first_token:.2f} s",
        f"loading     {last.load_seconds:.1f} s",
        f"context     {last.prompt_tokens + last.generated_tokens} of {last.context} tokens",
        f"seed        {last.seed}",
        f"this chat   {len(results)} answers, {total} tokens",
    ]
    return [*lines, *(f"note: {note}" for note in last.notes)]


def comparison(left: RunResult, right: RunResult) -> list[tuple[str, str, str]]:
    """Rows of two answers side by side: what, left, right."""
    both = left, right

    def row(name: str, values: Sequence[float], form: str) -> tuple[str, str, str]:
        one, other = (format(value, form) if value else "-" for value in values)
        return name, one, other

    return [
        ("model", left.model, right.model),
        row("first token (s)", [one.time_to_first_token for one in both], ".2f"),
        row("prompt (tokens)", [one.prompt_tokens for one in both], "d"),
        row("prompt (tokens/s)", [one.prompt_rate for one in both], ".0f"),
        row("answer (tokens)", [one.generated_tokens for one in both], "d"),
        row("answer (tokens/s)", [one.decode_rate for one in both], ".1f"),
        row("loading (s)", [one.load_seconds for one in both], ".2f"),
    ]


def different_files(left: RunResult, right: RunResult) -> str:
    """A sentence when the two answers did not come from the same file for certain, else ""."""
    if not left.model_sha256 or not right.model_sha256:
        return "it is not known whether both use the same file, so the speeds may not compare"
    if left.model_sha256 != right.model_sha256:
        return (
            f"these are different files ({left.model_sha256[:12]} and"
            f" {right.model_sha256[:12]}): the speeds say little about the engines"
        )
    return ""
