"""A plan as text for other tools: Mermaid and Graphviz. Pure."""

from __future__ import annotations

from smolpc.schema.plan import Plan, Step

STYLE = {
    "cached": "fill:#d8f5d0,stroke:#3a7d2c",
    "to-do": "fill:#fff3c4,stroke:#a67c00",
    "skipped": "fill:#eeeeee,stroke:#888888",
}


def _node(step: Step) -> str:
    return "n_" + "".join(char if char.isalnum() else "_" for char in step.id)


def _label(text: str) -> str:
    return text.replace("\\", "/").replace('"', "'")


def mermaid(plan: Plan) -> str:
    """The graph in Mermaid's flowchart language."""
    lines = ["flowchart LR"]
    for step in plan.steps:
        label = f"{_label(step.title)}<br/>{step.state}"
        lines.append(f'    {_node(step)}["{label}"]:::{step.state.replace("-", "_")}')
    names = {step.id: _node(step) for step in plan.steps}
    lines += [
        f"    {names[need]} --> {names[step.id]}" for step in plan.steps for need in step.needs
    ]
    lines += [f"    classDef {state.replace('-', '_')} {css}" for state, css in STYLE.items()]
    return "\n".join(lines) + "\n"


def dot(plan: Plan) -> str:
    """The graph in Graphviz's language."""
    lines = ["digraph plan {", "  rankdir=LR;", "  node [shape=box, style=filled];"]
    for step in plan.steps:
        colour = STYLE[step.state].split(",")[0].removeprefix("fill:")
        label = f"{_label(step.title)}\\n{step.state}"
        lines.append(f'  {_node(step)} [label="{label}", fillcolor="{colour}"];')
    names = {step.id: _node(step) for step in plan.steps}
    lines += [f"  {names[need]} -> {names[step.id]};" for step in plan.steps for need in step.needs]
    return "\n".join([*lines, "}"]) + "\n"
