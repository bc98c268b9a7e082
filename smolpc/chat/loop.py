"""Reading, answering, and what goes wrong in between."""

from __future__ import annotations

from smolpc.chat import ab, shown
from smolpc.chat.commands import Commands, Leave
from smolpc.chat.conversation import Chat
from smolpc.chat.typed import Ask, Typed, read
from smolpc.errors import PrerequisiteError, SmolpcError, UsageError

LEAVE = "Ctrl-D or /exit leaves"


class Loop:
    """The conversation of `chat` with what `ask` reads. With `both`, two backends answer each
    question. `last_error` is that of the last question, None when it was answered."""

    def __init__(self, chat: Chat, ask: Ask, *, both: tuple[str, str] | None = None) -> None:
        self.chat, self._ask, self._both = chat, ask, both
        self.commands = Commands(chat, self.answer)
        self.last_error: SmolpcError | None = None
        self._round = 0

    def run(self) -> None:
        """Until the input ends or the user leaves."""
        while True:
            try:
                typed = read(self._ask)
            except EOFError:
                return
            except KeyboardInterrupt:
                self.chat.screen.aside(f"\n({LEAVE})")
                continue
            try:
                self.handle(typed)
            except (Leave, EOFError):
                return

    def handle(self, typed: Typed) -> None:
        """One message or command. Raises Leave; everything else is said on the screen."""
        if not typed.text and not typed.command:
            return
        self.last_error = None
        try:
            if typed.command:
                self.commands.run(typed.command, typed.text)
            else:
                self.answer(typed.text)
        except SmolpcError as error:
            self.last_error = error
            self._explain(error)
        except BrokenPipeError:
            raise
        except OSError as error:  # a chat is never lost because of a file
            self.last_error = PrerequisiteError(
                "the system refused something",
                why=f"{error.filename or ''} {error.strerror or error}".strip(),
                next_step="/retry   (or keep the conversation: /save FILE)",
            )
            self._explain(self.last_error)
        except KeyboardInterrupt:
            self.chat.screen.aside("\n(stopped; /retry asks again)")

    def answer(self, question: str) -> None:
        """Raises SmolpcError and KeyboardInterrupt as `Chat.ask`."""
        chat = self.chat
        if self._both:
            chat.retryable = question
            ab.ask(chat, question, self._both, self._round)
            self._round += 1
            return
        result = chat.ask(question)
        for note in result.notes:
            chat.screen.aside(f"note: {note}")
        chat.screen.aside(f"[{shown.one_line(result)}]")
        if result.stop == "length" and self._is_full():
            chat.screen.aside(self._what_about_the_context())

    def _is_full(self) -> bool:
        last = self.chat.answers[-1]
        return 0 < last.context <= last.prompt_tokens + last.generated_tokens

    def _what_about_the_context(self) -> str:
        last = self.chat.answers[-1].context if self.chat.answers else 0
        more = 2 * (last or self.chat.options.context or 4096)
        return (
            "the conversation has filled the context: /clear begins a new one,"
            f" /settings context {more} makes room for more (and takes memory)"
        )

    def _explain(self, error: SmolpcError) -> None:
        aside = self.chat.screen.aside
        aside(f"error: {error.what}")
        if error.why:
            aside(f"  why:  {error.why}")
        if isinstance(error, UsageError) and "context" in f"{error.what}":
            aside(f"  next: {self._what_about_the_context()}")
        elif error.next_step:
            aside(f"  next: {error.next_step}")
