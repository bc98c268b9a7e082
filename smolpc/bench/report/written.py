"""The report that a file name asks for: its ending decides the form."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from smolpc.bench.report import html, many, markdown, merged, tables
from smolpc.errors import UsageError
from smolpc.schema.bench import BenchResult

FORMS = (".html", ".md", ".csv")


def text(
    by_pc: Mapping[str, Sequence[BenchResult]], form: str, template: Callable[[str], str]
) -> str:
    """One result as it is, several by kind of PC. `by_pc`: the results of each PC; `template`:
    the text of a template by its name. Raises UsageError for another form."""
    results = [one for found in by_pc.values() for one in found]
    form = form.lower()
    if form == ".csv":
        first, *others = [tables.answers_csv(one) for one in results]
        return first + "".join(other.partition("\n")[2] for other in others)
    if form not in FORMS:
        raise UsageError(
            f"no report has the ending '{form}'",
            why=f"there are {', '.join(FORMS)}",
            next_step="smolpc bench.report last --out report.html",
        )
    if len(results) == 1:
        return html.page(results[0], template) if form == ".html" else markdown.report(results[0])
    together = merged.merge(by_pc)
    return many.page(together, template) if form == ".html" else many.report(together)
