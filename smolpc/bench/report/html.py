"""A report as one HTML page that needs nothing else: no script, no font, no request.

Plots are SVG in the page, drawn by the template. To get a picture or a PDF, print it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from smolpc.bench.report import about, words
from smolpc.bench.report.figures import LOOKS, clean, heading, known, number, share
from smolpc.bench.report.grid import Section, sections
from smolpc.bench.report.plots import LEFT, NAME, RIGHT, STRIP, WIDTH, plot
from smolpc.schema.bench import BenchResult, Limit, Metric

PLOTTED: tuple[Metric, ...] = ("decode", "first_token", "prompt", "total")
BOX = {"width": WIDTH, "left": LEFT, "right": RIGHT, "name": NAME, "strip": STRIP}


def page(result: BenchResult, template: Callable[[str], str]) -> str:
    """The page of one result. `template` gives the text of a template by name
    (`Catalog.template`)."""
    return rendered("bench.html", context(result), template)


def rendered(name: str, values: dict[str, Any], template: Callable[[str], str]) -> str:
    """A template with these values: every text in them is escaped and one line."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(template),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name).render(values, box=BOX)


def _shown(value: Any) -> Any:
    """Texts on one line; what a macro drew (and escaped) stays as it is."""
    drawn = hasattr(value, "__html__")
    return clean(value) if isinstance(value, str) and not drawn else value


def context(result: BenchResult) -> dict[str, Any]:
    """What the template gets: texts as they are (it escapes them) and numbers."""
    return {
        "result": result,
        "headline": words.headline(result),
        "sentences": words.by_scenario(result),
        "sections": [_section(result, one) for one in sections(result)],
        "players": [(one.name, about.player(one)) for one in result.variants],
        "machine": about.machine(result.host),
        "sure": [*about.noise(result), *result.notes],
    }


def _section(result: BenchResult, section: Section) -> dict[str, Any]:
    name = section.scenario.name
    return {
        "scenario": section.scenario,
        "heads": [heading(cell.metric) for row in section.rows[:1] for cell in row.cells],
        "rows": section.rows,
        "base": next((row.variant.name for row in section.rows if row.base), ""),
        "counted": section.counted,
        "answers": len(section.answers),
        "plots": [found for one in PLOTTED if (found := plot(result, name, one)) is not None],
        "limits": [_limit(one) for one in section.limits if known(one.share) is not None],
    }


def _limit(limit: Limit) -> dict[str, Any]:
    look = LOOKS[limit.metric]
    return {
        "variant": limit.variant,
        "metric": look.title,
        "share": share(limit.share),
        "width": round(min(1.0, limit.share) * (RIGHT - LEFT), 1),
        "most": f"{number(limit.limit * look.scale)} {look.unit}",
        "held_back_by": limit.held_back_by,
    }
