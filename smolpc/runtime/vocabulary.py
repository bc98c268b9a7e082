"""Text to tokens and tokens to text, with the model's own vocabulary."""

from __future__ import annotations

import codecs
import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from smolpc.runtime.closed import closed


class Vocabulary:
    """The vocabulary of a loaded model; `close` it before the model is freed.

    Any thread may use it. After `close` everything that asks the engine raises UsageError.
    """

    def __init__(self, llama: Any, model: Any) -> None:
        self._llama = llama
        self._to_piece, self._is_eog = llama.llama_token_to_piece, llama.llama_vocab_is_eog
        self._pieces: dict[int, bytes] = {}  # asked for each token of an answer: see `piece`
        self._ends: dict[int, bool] = {}
        self._using = threading.RLock()
        self._closed = False
        self.handle = llama.llama_model_get_vocab(model)
        self.size = int(llama.llama_vocab_n_tokens(self.handle))  # tokens
        self.adds_bos: bool = llama.llama_vocab_get_add_bos(self.handle)
        self.bos = self.text(llama.llama_vocab_bos(self.handle))
        self.eos = self.text(llama.llama_vocab_eos(self.handle))

    @contextmanager
    def open(self) -> Iterator[Any]:
        """The engine's handle, which inside stays valid although another thread closes the
        model. Raises UsageError after that."""
        with self._using:
            if self._closed:
                raise closed()
            yield self.handle

    def close(self) -> None:
        """Wait for the call that is under way; there will be no other."""
        with self._using:
            self._closed = True

    def text(self, token: int) -> str:
        """The spelling of a token in the model's file; "" for one that the model does not have."""
        if token < 0:  # LLAMA_TOKEN_NULL
            return ""
        return (self._llama.llama_vocab_get_text(self.handle, token) or b"").decode()

    def tokens(self, text: str) -> list[int]:
        """Token ids of `text`, begun as the model wants it and never begun twice.

        The spelling of a control token ("<|im_end|>") becomes that token.
        """
        if self.adds_bos and self.bos:
            text = text.removeprefix(self.bos)
        data = text.encode("utf-8", "replace")  # a lone surrogate is no character
        room = len(data) + 8  # a token stands for a byte at least; a few are added
        while True:
            buffer = (self._llama.llama_token * room)()
            with self.open() as handle:
                count = self._llama.llama_tokenize(
                    handle, data, len(data), buffer, room, True, True
                )
            if count >= 0:
                return list(buffer[:count])
            room = -count

    def is_end(self, token: int) -> bool:
        """Whether the model ends its turn with `token`."""
        known = self._ends.get(token)
        if known is None:
            with self.open() as handle:
                known = self._ends[token] = bool(self._is_eog(handle, token))
        return known

    def piece(self, token: int) -> bytes:
        """The bytes of one token; a part of a character is possible. Control tokens: none."""
        known = self._pieces.get(token)
        if known is None:
            with self.open() as handle:
                known = self._pieces[token] = self._read(handle, token)
        return known

    def _read(self, handle: Any, token: int) -> bytes:
        buffer = ctypes.create_string_buffer(256)
        count = self._to_piece(handle, token, buffer, len(buffer), 0, False)
        if count < 0:
            buffer = ctypes.create_string_buffer(-count)
            count = self._to_piece(handle, token, buffer, -count, 0, False)
        return buffer.raw[:count]


class TextStream:
    """Bytes in, whole characters out: a character may be spread over several tokens."""

    def __init__(self) -> None:
        self._decode = codecs.getincrementaldecoder("utf-8")("replace").decode

    def add(self, piece: bytes) -> str:
        """The text that became complete with `piece`; may be empty."""
        return self._decode(piece)

    def finish(self) -> str:
        """What is left: a replacement character if the last one is incomplete."""
        return self._decode(b"", final=True)
