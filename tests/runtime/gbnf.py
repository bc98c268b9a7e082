"""Texts that a grammar allows, drawn at random: what a model could write, without a model."""

from __future__ import annotations

import re
from random import Random

TOKEN = re.compile(
    r'\s*("(?:\\.|[^"\\])*"|\[(?:\\.|[^\]\\])*\]|\{\d*,?\d*\}|::=|[A-Za-z][\w-]*|[()|?*])'
)
DEEP = 6


class Grammar:
    """The notation that smolpc writes: literals, classes, groups, `|`, `?`, `*`, `{n,m}`."""

    def __init__(self, text: str) -> None:
        rules = (line.split("::=", 1) for line in text.splitlines() if "::=" in line)
        self._rules = {name.strip(): TOKEN.findall(body) for name, body in rules}

    def draw(self, random: Random) -> str:
        return self._rule("root", random, 0)

    def _rule(self, name: str, random: Random, depth: int) -> str:
        return self._choice(self._rules[name], random, depth + 1)

    def _choice(self, tokens: list[str], random: Random, depth: int) -> str:
        choices, level = [[]], 0
        for token in tokens:
            level += (token == "(") - (token == ")")
            if token == "|" and level == 0:
                choices.append([])
            else:
                choices[-1].append(token)
        if depth > DEEP:  # those that refer to nothing end the recursion
            ends = [one for one in choices if not any(t[0].isalpha() for t in one)]
            choices = ends or choices
        return self._sequence(random.choice(choices), random, depth)

    def _sequence(self, tokens: list[str], random: Random, depth: int) -> str:
        text, i = "", 0
        while i < len(tokens):
            end = i + 1
            if tokens[i] == "(":
                level = 1
                while level:
                    level += (tokens[end] == "(") - (tokens[end] == ")")
                    end += 1
            least, most, after = self._times(tokens, end)
            times = least if depth > DEEP else random.randint(least, min(most, least + 3))
            text += "".join(self._one(tokens[i:end], random, depth) for _ in range(times))
            i = after
        return text

    @staticmethod
    def _times(tokens: list[str], at: int) -> tuple[int, int, int]:
        mark = tokens[at] if at < len(tokens) else ""
        if mark == "?":
            return 0, 1, at + 1
        if mark == "*":
            return 0, 99, at + 1
        if mark.startswith("{"):
            least, comma, most = mark[1:-1].partition(",")
            low = int(least or 0)
            return low, int(most) if most else 99 if comma else low, at + 1
        return 1, 1, at

    def _one(self, tokens: list[str], random: Random, depth: int) -> str:
        token = tokens[0]
        if token == "(":
            return self._choice(tokens[1:-1], random, depth)
        if token[0] == '"':
            return re.sub(r"\\(.)", lambda m: {"n": "\n"}.get(m[1], m[1]), token[1:-1])
        if token[0] == "[":
            pattern = re.compile(token.replace("[", r"[", 1))
            letters = [chr(n) for n in (*range(32, 127), 0xE9, 0x65E5)]
            return random.choice([letter for letter in letters if pattern.fullmatch(letter)])
        return self._rule(token, random, depth)
