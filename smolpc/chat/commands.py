"""The commands of a chat. Each is a method `do_NAME` with its help as the docstring."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from smolpc import files
from smolpc.backends.protocol import canonical
from smolpc.catalog.families import key_of
from smolpc.catalog.reading import did_you_mean
from smolpc.chat import history, options, shown
from smolpc.chat.conversation import AUTO, Chat
from smolpc.errors import UsageError


class Leave(Exception):
    """The user wants to go."""


class Commands:
    """`run` does what a command says. `answer` asks a question, for `/retry`."""

    def __init__(self, chat: Chat, answer: Callable[[str], None]) -> None:
        self.chat, self._answer = chat, answer
        self._print = chat.screen.print

    def names(self) -> list[str]:
        return sorted(f"/{name[3:]}" for name in dir(self) if name.startswith("do_"))

    def run(self, command: str, text: str) -> None:
        """Raises Leave, SmolpcError, KeyboardInterrupt."""
        command = {"/?": "/help", "/quit": "/exit", "/bye": "/exit"}.get(command, command)
        method = getattr(self, f"do_{command[1:]}", None) if command[1:].isalpha() else None
        if method is None:
            raise UsageError(
                f"there is no command {command}{did_you_mean(command, self.names())}",
                why="a message that begins with a slash is written with two",
                next_step="/help",
            )
        method(text)

    def do_help(self, _: str) -> None:
        """/help                  this list"""
        for name in self.names():
            self._print(str(getattr(self, f"do_{name[1:]}").__doc__))
        self._print('"""                    begins and ends a message of several lines')
        self._print("Ctrl-C stops an answer; Ctrl-D leaves")

    def do_exit(self, _: str) -> None:
        """/exit                  leave (so does Ctrl-D)"""
        raise Leave

    def do_clear(self, _: str) -> None:
        """/clear                 begin a new conversation; the system prompt stays"""
        self.chat.turns.clear()
        self.chat.retryable = ""
        self._print("a new conversation")

    def do_retry(self, _: str) -> None:
        """/retry                 answer the last question again"""
        before = list(self.chat.turns)
        question = self.chat.forget_last()
        if not question:
            raise UsageError("there is no question yet", next_step="type one")
        try:
            self._answer(question)
        finally:
            if len(self.chat.turns) < len(before):  # no new answer: the old one stays
                self.chat.turns[:] = before

    def do_system(self, text: str) -> None:
        """/system [TEXT|none]    show or set the system prompt"""
        if text:
            self.chat.system = "" if text.lower() == "none" else text
        self._print(self.chat.system or "no system prompt")

    def do_stats(self, _: str) -> None:
        """/stats                 figures of the last answer"""
        for line in shown.statistics(self.chat.answers):
            self._print(line)

    def do_settings(self, text: str) -> None:
        """/settings [NAME VALUE] show the settings of the answers, or change one"""
        chat = self.chat
        if text:
            name, _, value = text.replace("=", " ", 1).partition(" ")
            made = options.changed(chat.options, name, value.strip())
            if made.context != chat.options.context:
                chat.reopen(made.context)
            chat.options = made
            name = name.replace("-", "_")
            self._print(f"{name} = {options.value_of(made, name)}")
            return
        for name, meaning in options.MEANINGS.items():
            value = options.value_of(chat.options, name)
            self._print(f"{name:<15} {'none' if value is None else value!s:<6} {meaning}")

    def do_model(self, text: str) -> None:
        """/model [NAME]          show the models, or go on with another one"""
        chat = self.chat
        if text:
            found = chat.chain.resolve(text)
            chat.use(text)
            self._print(f"{found.name} answers from now on")
            return
        used = chat.answers[-1].model if chat.answers else chat.model
        for backend in chat.chain.backends:
            problem = backend.available()
            if problem is not None:
                self._print(f"{backend.name}: {problem}")
                continue
            for model in backend.models():
                mark = "*" if used and key_of(model.name) == key_of(used) else " "
                self._print(f"{mark} {model.name}  ({backend.name})")

    def do_backend(self, text: str) -> None:
        """/backend [NAME|auto]   show the backends, or choose who answers"""
        chat = self.chat
        if text:
            name = AUTO if text.lower() == AUTO else canonical(text)
            if name != AUTO and name not in chat.backends:
                raise UsageError(
                    f"there is no backend '{text}'{did_you_mean(text, list(chat.backends))}",
                    why=f"these are: {', '.join(chat.backends)}, {AUTO}",
                    next_step="/backend",
                )
            chat.backend = name
            self._print(f"answers come from {', else from '.join(chat.order)}")
            return
        for name, backend in chat.backends.items():
            problem = backend.available()
            mark = "*" if name in chat.order else " "
            self._print(f"{mark} {name}: {problem or 'ready'}")

    def do_save(self, text: str) -> None:
        """/save FILE             write the conversation as JSON"""
        path = _path(text, "/save")
        history.save(path, self.chat.exported())
        self._print(f"written: {path}")

    def do_load(self, text: str) -> None:
        """/load FILE             go on with a saved conversation"""
        chat = self.chat
        chat.take(history.load(_path(text, "/load")))
        self._print(f"{len(chat.turns)} messages")
        if chat.turns:
            last = chat.turns[-1]
            self._print(f"{last['role']}: {last['content'].strip()[:200]}")
        if chat.retryable:
            self._print("the last question has no answer yet: /retry")


def _path(text: str, command: str) -> Path:
    if not text:
        raise UsageError("a file is missing", next_step=f"{command} my-chat.json")
    return files.user_path(text.strip("\"'")).absolute()
