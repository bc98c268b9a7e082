"""The task graph: pipeline text → steps → states. Pure; nothing here performs a step."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from typing import Any

import msgspec

from smolpc.errors import UsageError
from smolpc.schema.base import Value
from smolpc.schema.plan import Step


class Known(Value, kw_only=True):
    """What is already there for one step, and what performing it would cost."""

    done: bool = False
    reason: str = ""
    output: str = ""
    key: str = ""
    fetch_bytes: int = 0
    disk_bytes: int = 0
    seconds: float = 0


def _bad(pipeline: str, what: str, why: str) -> UsageError:
    return UsageError(
        f"pipeline '{pipeline}': {what}",
        why=why,
        next_step=f"edit recipes/pipelines/{pipeline}.yaml.j2",
    )


def render(pipeline: str, text: str, context: Mapping[str, Any]) -> tuple[Step, ...]:
    """The steps of a pipeline template, in an order that respects `needs`.

    Raises UsageError for an undefined name, an unknown key, a missing need or a cycle.
    """
    import jinja2
    import yaml

    environment = jinja2.Environment(  # noqa: S701 - the output is YAML, not HTML
        undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["quote"] = lambda value: msgspec.json.encode(str(value)).decode()
    try:
        data = yaml.safe_load(environment.from_string(text).render(context))
        steps = msgspec.convert(data["steps"], tuple[Step, ...])
    except (jinja2.TemplateError, yaml.YAMLError, msgspec.ValidationError) as error:
        raise _bad(pipeline, "cannot be read", " ".join(str(error).split())) from error
    except (KeyError, TypeError) as error:
        raise _bad(pipeline, "has no list 'steps'", "the file must hold 'steps:'") from error
    return ordered(pipeline, steps)


def ordered(pipeline: str, steps: Sequence[Step]) -> tuple[Step, ...]:
    """The same steps, every one after what it needs; otherwise in the order given."""
    by_id = {step.id: step for step in steps}
    if len(by_id) != len(steps):
        raise _bad(pipeline, "two steps have the same id", ", ".join(s.id for s in steps))
    for step in steps:
        for need in step.needs:
            if need not in by_id:
                close = difflib.get_close_matches(need, by_id, n=1)
                hint = f"; did you mean '{close[0]}'?" if close else ""
                raise _bad(pipeline, f"step '{step.id}' needs unknown '{need}'{hint}", "see needs")
    sorter = TopologicalSorter({step.id: step.needs for step in steps})
    try:
        return tuple(by_id[name] for name in sorter.static_order())
    except CycleError as error:
        raise _bad(pipeline, "the steps need each other in a circle", str(error.args[1])) from error


def with_states(steps: Sequence[Step], known: Mapping[str, Known]) -> tuple[Step, ...]:
    """Each step with its state and cost.

    Walks back from the steps that nothing needs: a step whose result is there is
    `cached`, and what only cached steps need is `skipped`, unless it is there too.
    """
    needed_by: dict[str, list[str]] = {step.id: [] for step in steps}
    for step in steps:
        for need in step.needs:
            needed_by[need].append(step.id)
    states: dict[str, Step] = {}
    for step in reversed(steps):
        fact = known.get(step.id, Known())
        users = [states[name] for name in needed_by[step.id]]
        wanted = not users or any(user.state == "to-do" for user in users)
        if fact.done:
            state, reason = "cached", fact.reason or "already there"
        elif wanted:
            state, reason = "to-do", fact.reason
        else:
            user = users[0]
            there = f"not needed: '{user.title}' is already there"
            state, reason = "skipped", there if user.state == "cached" else user.reason
        due = state == "to-do"
        states[step.id] = msgspec.structs.replace(
            step,
            state=state,
            reason=reason,
            output=fact.output,
            key=fact.key,
            fetch_bytes=fact.fetch_bytes if due else 0,
            disk_bytes=fact.disk_bytes if due else 0,
            seconds=fact.seconds if due else 0,
        )
    return tuple(states[step.id] for step in steps)


def longest_path(steps: Sequence[Step]) -> float:
    """Seconds until the last step ends when independent branches run at the same time; needs
    that are not among `steps` are done."""
    ends: dict[str, float] = {}
    for step in steps:
        start = max((ends.get(need, 0.0) for need in step.needs), default=0.0)
        ends[step.id] = start + step.seconds
    return max(ends.values(), default=0.0)
