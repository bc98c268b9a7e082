"""Results that no real run makes, but a file may hold: evil names, nothing measured, no numbers."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import strategies as st

from smolpc.schema.bench import Answer, BenchResult, Comparison, Estimate, Limit, Summary, Variant
from tests.bench.results import METRICS, SCENARIOS, result

EVIL = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style></title><h1>",
    "{{ 7 * 7 }}",
    "a | b | c",
    "[x](http://evil.example) `code` **bold** ![i](http://evil.example/i.png)",
    "=HYPERLINK(1)",
    " =HYPERLINK(2)",
    "\u200b@SUM(1)",
    "\x1b[31mred\x07",
    "\u202egnp.exe",
    "line\nbreak\r\n| - |",
    "\ud800",
    "# title",
    "1. one",
    "",
)
texts = st.one_of(st.sampled_from(EVIL), st.text(max_size=40))
floats = st.one_of(
    st.none(),
    st.floats(0, 1e6),
    st.floats(),
    st.sampled_from([0.0, -1.0, float("nan"), float("inf"), 1e300, 5e-324]),
)
numbers = floats.map(lambda one: 0.0 if one is None else one)
estimates = st.builds(Estimate, median=numbers, low=floats, high=floats, count=st.integers(0, 60))


def named(found: BenchResult, rename: dict[str, str], text: str) -> BenchResult:
    """The same result with other names, and this text wherever people or servers write one."""
    name = rename.__getitem__

    def renamed(values: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(msgspec.structs.replace(one, variant=name(one.variant)) for one in values)

    return msgspec.structs.replace(
        found,
        variants=tuple(
            msgspec.structs.replace(
                one,
                name=name(one.name),
                model=text,
                engine=text,
                url=text,
                settings={"threads": text},
            )
            for one in found.variants
        ),
        scenarios=tuple(
            msgspec.structs.replace(one, title=text, about=text) for one in found.scenarios
        ),
        answers=renamed(found.answers),
        summaries=renamed(found.summaries),
        comparisons=tuple(
            msgspec.structs.replace(one, base=name(one.base), variant=name(one.variant))
            for one in found.comparisons
        ),
        limits=tuple(
            msgspec.structs.replace(one, variant=name(one.variant), held_back_by=text)
            for one in found.limits
        ),
        host=msgspec.structs.replace(
            found.host,
            os=msgspec.structs.replace(found.host.os, name=text),
            cpu=msgspec.structs.replace(found.host.cpu, brand=text),
        ),
        notes=(text,),
        smolpc=text,
        created=text,
    )


@st.composite
def results(draw: st.DrawFn) -> BenchResult:
    """Anything that the schema allows, and a bit more."""
    variants = [
        Variant(name=name, player=player, model=draw(texts), model_sha256="")
        for name, player in draw(
            st.lists(
                st.tuples(texts, st.sampled_from(["llamacpp", "ollama", "openai"])),
                max_size=3,
                unique_by=lambda one: one[0],
            )
        )
    ]
    scenarios = draw(st.sampled_from([(), SCENARIOS[:1], SCENARIOS]))
    pairs = [(one.name, two.name) for one in scenarios for two in variants]
    where = st.sampled_from(pairs) if pairs else st.just(("gone", "gone"))
    metrics = st.sampled_from(METRICS)

    def answer(at: tuple[str, str]) -> st.SearchStrategy[Answer]:
        values: dict[str, Any] = dict.fromkeys(METRICS, floats) | {"total": numbers}
        whole = st.one_of(st.none(), st.integers(0, 10**12))
        values |= {"memory": whole, "vram": whole}
        return st.builds(
            Answer,
            scenario=st.just(at[0]),
            variant=st.just(at[1]),
            block=st.integers(0, 3),
            place=st.just(0),
            at=numbers,
            prompt_tokens=st.integers(0, 9),
            answer_tokens=st.integers(0, 9),
            flags=st.sampled_from([(), ("load",), ("drift", "\x1b<b>")]),
            **values,
        )

    def summary(at: tuple[str, str]) -> st.SearchStrategy[Summary]:
        return st.builds(
            Summary,
            scenario=st.just(at[0]),
            variant=st.just(at[1]),
            metric=metrics,
            value=estimates,
        )

    def comparison(at: tuple[str, str]) -> st.SearchStrategy[Comparison]:
        return st.builds(
            Comparison,
            scenario=st.just(at[0]),
            variant=st.just(at[1]),
            base=st.just(variants[0].name if variants else ""),
            metric=metrics,
            ratio=estimates,
            verdict=st.sampled_from(["better", "worse", "parity", "unknown"]),
        )

    def limit(at: tuple[str, str]) -> st.SearchStrategy[Limit]:
        return st.builds(
            Limit,
            scenario=st.just(at[0]),
            variant=st.just(at[1]),
            metric=metrics,
            limit=numbers,
            share=numbers,
            held_back_by=texts,
        )

    def some(make: Any, most: int) -> tuple[Any, ...]:
        return tuple(draw(st.lists(where.flatmap(make), max_size=most)))

    return msgspec.structs.replace(
        result(blocks=0),
        seconds=draw(numbers),
        scenarios=scenarios,
        variants=tuple(variants),
        answers=some(answer, 6),
        summaries=some(summary, 6),
        comparisons=some(comparison, 6),
        limits=some(limit, 2),
        notes=tuple(draw(st.lists(texts, max_size=2))),
    )
