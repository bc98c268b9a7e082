"""`models.recommend`: which model this machine should run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from smolpc.cli.app import command
from smolpc.console import Console, human_bytes

if TYPE_CHECKING:
    from smolpc.schema.recommendation import Recommendation

MARKS = {"fits": "✓", "tight": "⚠", "does-not-fit": "✗"}


@command(
    first="purpose",
    help={
        "purpose": "what for: code or chat",
        "all": "every quantization, and the models that do not fit",
        "quick": "take the memory bandwidth from a table instead of measuring it",
        "refresh": "measure the memory bandwidth again",
    },
)
def recommend(
    console: Console,
    purpose: str = "code",
    all: bool = False,  # noqa: A002 - the option's name
    quick: bool = False,
    refresh: bool = False,
    json: bool = False,
) -> None:
    """Rank the known models for this machine: what fits, how fast it will be, and why."""
    from smolpc import settings
    from smolpc.plan.recommend import best_of, one_each
    from smolpc.provision import advice
    from smolpc.provision.target import catalog_for, host_for
    from smolpc.schema.recommendation import RecommendReport

    chosen, _ = settings.load()
    wanted = advice.purpose_of(purpose.lower())
    catalog, host = catalog_for(chosen), host_for(chosen)
    measured, rows = advice.recommend_here(
        chosen, catalog, host, wanted, measure=not quick, refresh=refresh
    )
    best = best_of(rows)
    if json:
        console.emit(
            RecommendReport(
                purpose=wanted,
                best=best,
                measured_bandwidth=measured,
                models=rows,
            )
        )
        return
    shown = rows if all else one_each(rows)
    console.table(
        ("", "model", "file", "memory: needs / has", "tokens/s"),
        [_row(row) for row in shown],
        below=[row.why for row in shown],
    )
    hidden = len(rows) - len(shown)
    if hidden:
        console.aside(f"{hidden} more: smolpc models.recommend {purpose} --all")
    if not rows:
        allowed = f" under the licences {chosen.licenses}" if chosen.licenses else ""
        console.print(f"The registry knows no confirmed model for {wanted}{allowed}.")
        console.print("  next: smolpc models.list --all")
        return
    if not best:
        console.print("\nNo model fits this machine: the lines above say what is missing.")
        return
    first = rows[0]
    console.print(f"\nBest for {purpose}: {first.alias}, about {_rate(first)} tokens/s.")
    console.print(f"  next: smolpc setup --model {first.alias}")


def _row(row: Recommendation) -> tuple[str, ...]:
    tightest = max(row.needs, key=lambda need: need.needs / max(need.has, 1))
    return (
        MARKS[row.mark],
        row.alias,
        "here" if row.installed else human_bytes(row.disk_needed),
        f"{human_bytes(tightest.needs)} / {human_bytes(tightest.has)} {tightest.device}",
        _rate(row) if row.mark != "does-not-fit" else "-",
    )


def _rate(row: Recommendation) -> str:
    """The rate and between what it will be: "12 (8-18)"."""
    form = ".0f" if row.rate >= 10 else ".1f"
    return f"{row.rate:{form}} ({row.rate_low:{form}}-{row.rate_high:{form}})"
