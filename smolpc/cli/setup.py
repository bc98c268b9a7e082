"""`setup` and `plan`: from a bare machine to the first token, and what that will take."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smolpc.cli.app import command
from smolpc.console import Console, human_bytes, human_seconds

if TYPE_CHECKING:
    from smolpc.schema.plan import Plan
    from smolpc.schema.result import RunResult

CHOICES = {
    "profile": "hardware profile by name (default: the best that fits)",
    "model": "model by name (default: a small one that runs everywhere)",
}
TRY_NEXT = (
    ('smolpc run "Explain recursion to a ten-year-old"', "ask something else"),
    ("smolpc models.list", "see the models"),
    ("smolpc profiles.list", "see why this engine was built"),
    ("smolpc artifacts.show", "see what exactly was built"),
    ("smolpc doctor", "see what would make it faster"),
)
MARKS = {"cached": "✓", "to-do": "•", "skipped": "-"}


@command(
    help={
        **CHOICES,
        "dry_run": "only print the plan",
        "refresh": "detect the machine again",
    }
)
def setup(
    console: Console,
    profile: str = "",
    model: str = "",
    dry_run: bool = False,
    refresh: bool = False,
    json: bool = False,
) -> None:
    """Set this machine up: build the engine for it, get the model, give a first answer."""
    from smolpc import settings
    from smolpc.provision.run import make_plan, provision_best
    from smolpc.provision.target import choose_target
    from smolpc.schema.report import SetupReport
    from smolpc.store import Store, generations

    chosen, _ = settings.load({"profile": profile, "model": model})
    store = Store(chosen.store_path)
    if dry_run:
        _print_plan(console, make_plan(choose_target(chosen, refresh=refresh), store), json=json)
        return
    plan, answer = provision_best(chosen, refresh=refresh, reporter=console.reporter)
    if json:
        console.emit(
            SetupReport(
                changed=bool(plan.to_do),
                plan=plan,
                generation=generations.current(store),
                answer=answer,
            )
        )
        return
    for note in plan.notes:
        console.print(f"note: {note}")
    if not plan.to_do:
        console.print(
            f"Nothing to do: {plan.model or 'the engine'} is set up with {plan.profile}"
            f" (engine {plan.key[:12]})."
        )
        return
    if answer is not None:
        _print_answer(console, answer)
    console.print("\nTry next:")
    for line, why in TRY_NEXT:
        console.print(f"  {line:<49} {why}")


@command(
    help={
        **CHOICES,
        "format": "text, json, mermaid or dot",
        "refresh": "detect the machine again",
    }
)
def plan(
    console: Console,
    profile: str = "",
    model: str = "",
    format: str = "text",  # noqa: A002 - the option's name
    refresh: bool = False,
    json: bool = False,
) -> None:
    """Print every step of setup with its state and cost, without doing anything."""
    from smolpc import settings
    from smolpc.errors import UsageError
    from smolpc.plan import show
    from smolpc.provision.run import make_plan
    from smolpc.provision.target import choose_target
    from smolpc.store import Store

    texts = {"mermaid": show.mermaid, "dot": show.dot}
    if format not in (*texts, "text", "json"):
        raise UsageError(
            f"unknown plan format '{format}'",
            why="the formats are text, json, mermaid and dot",
            next_step="smolpc plan --format json",
        )
    chosen, _ = settings.load({"profile": profile, "model": model})
    target = choose_target(chosen, refresh=refresh)
    made = make_plan(target, Store(chosen.store_path))
    if format in texts:
        console.write(texts[format](made))
    else:
        _print_plan(console, made, json=json or format == "json")


def _print_plan(console: Console, plan: Plan, *, json: bool) -> None:
    from smolpc.plan.graph import longest_path

    if json:
        console.emit(plan)
        return
    console.print(f"profile  {plan.why}")
    console.print(f"engine   {plan.key[:16]}")
    console.print(f"model    {plan.model or '-'}")
    console.print()
    console.table(
        ("", "step", "state", "fetch", "disk", "time", "why"),
        [
            (
                MARKS[step.state],
                step.title,
                step.state,
                human_bytes(step.fetch_bytes) if step.fetch_bytes else "",
                human_bytes(step.disk_bytes) if step.disk_bytes else "",
                f"~{human_seconds(step.seconds)}" if step.seconds else "",
                step.reason,
            )
            for step in plan.steps
        ],
    )
    for note in plan.notes:
        console.print(f"note: {note}")
    due = plan.to_do
    if not due:
        console.print("\nNothing to do.")
        return
    console.print(
        f"\n{len(due)} steps to do: {human_bytes(sum(s.fetch_bytes for s in due))} to fetch,"
        f" {human_bytes(sum(s.disk_bytes for s in due))} of disk,"
        f" about {human_seconds(longest_path(due))} without the downloads."
    )


def _print_answer(console: Console, answer: RunResult) -> None:
    console.print(f"\n{answer.text.strip()}\n")
    console.print(summary(answer))


def summary(answer: RunResult) -> str:
    """One line about speed and provenance of an answer. A server does not tell all of it."""
    parts = [
        answer.backend,
        f"{answer.threads} threads" if answer.threads else "",
        f"context {answer.context}" if answer.context else "",
        f"engine {answer.artifact[:12]}" if answer.artifact else f"by {answer.provider}",
    ]
    return (
        f"[{answer.model}: {answer.decode_rate:.1f} tokens/s, prompt"
        f" {answer.prompt_rate:.0f} tokens/s, first token after"
        f" {answer.time_to_first_token * 1000:.0f} ms; {', '.join(filter(None, parts))}]"
    )
