"""How the next token is chosen: the likeliest one, or what the engine's own samplers say."""

from __future__ import annotations

import ctypes
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from smolpc.errors import SmolpcError, UsageError
from smolpc.runtime.bindings import Bound
from smolpc.runtime.json_schema import to_gbnf
from smolpc.runtime.vocabulary import Vocabulary
from smolpc.schema.running import Request, Sampling

# The token after the nth position of the batch that was computed last (-1: its last one).
Choose = Callable[[int], int]
RANDOM = 0xFFFFFFFF  # LLAMA_DEFAULT_SEED, llama.h: as a seed it means another one each time


@contextmanager
def chooser(
    bound: Bound,
    vocabulary: Vocabulary,
    context: Any,
    request: Request,
    prompt: Sequence[int],
    seed: int,
) -> Iterator[Choose]:
    """What chooses the tokens of one answer; the same `seed` chooses the same.

    Raises UsageError for a grammar that the engine does not understand.
    """
    wanted, grammar = request.sampling, request.grammar
    if request.json_schema is not None:
        grammar = to_gbnf(request.json_schema)
    if wanted.temperature <= 0 and wanted.repeat_penalty == 1 and not grammar:
        yield likeliest(bound.llama, context, vocabulary)
        return
    make = _Samplers(bound, vocabulary)
    try:
        if not grammar:
            yield make.plain(context, make.chain(_links(make, wanted, prompt, seed)))
        else:
            yield make.grammatical(context, wanted, grammar, prompt, seed)
    finally:
        make.free()


def likeliest(llama: Any, context: Any, vocabulary: Vocabulary) -> Choose:
    """Chooses the token with the largest logit, the first of equals; what is not a number never.

    numpy looks at 250,000 of them in 0.05 ms. The engine's greedy sampler copies each one
    first, and inside the graph it first pads all of them: 0.5 and 1 ms.
    """
    import numpy as np

    logits_at, address_of = llama.llama_get_logits_ith, ctypes.addressof
    row_type: Any = ctypes.c_float * vocabulary.size
    rows: dict[int, Any] = {}  # by address: the engine writes to the same memory again

    def choose(position: int) -> int:
        address = address_of(logits_at(context, position).contents)
        row = rows.get(address)
        if row is None:
            row = rows[address] = np.frombuffer(row_type.from_address(address), np.float32)
        token = int(row.argmax())  # the first that is not a number, where there is one
        if math.isnan(row[token]):
            if np.isnan(row).all():
                raise SmolpcError(
                    "the model computes values that are not numbers",
                    why="its file is damaged, or a GPU's driver computes wrongly",
                    next_step="smolpc models.verify   (or, on the processor alone:"
                    " smolpc run --gpu-layers 0 --prompt '...')",
                )
            token = int(np.nanargmax(row))
        return token

    return choose


def _links(make: _Samplers, wanted: Sampling, prompt: Sequence[int], seed: int) -> list[Any]:
    """The samplers of a chain, the cheapest way to the same result.

    A penalty looks at every candidate, of which there may be 250,000. It lowers at most
    `repeat_last` of them, so that many more than `top_k` are enough to give it.
    """
    llama, greedy = make.llama, wanted.temperature <= 0
    top_k = 1 if greedy else wanted.top_k
    links = []
    if wanted.repeat_penalty != 1 and wanted.repeat_last:
        if wanted.repeat_penalty > 1 and top_k:
            links.append(llama.llama_sampler_init_top_k(top_k + wanted.repeat_last))
        links.append(make.penalties(wanted, prompt))
    if greedy:
        return [*links, llama.llama_sampler_init_greedy()]
    if wanted.top_k:
        links.append(llama.llama_sampler_init_top_k(wanted.top_k))
    if wanted.top_p < 1:
        links.append(llama.llama_sampler_init_top_p(wanted.top_p, 1))
    if wanted.min_p > 0:
        links.append(llama.llama_sampler_init_min_p(wanted.min_p, 1))
    links.append(llama.llama_sampler_init_temp(wanted.temperature))
    return [*links, llama.llama_sampler_init_dist(seed % RANDOM)]


class _Samplers:
    """Makes the samplers of one answer and frees them."""

    def __init__(self, bound: Bound, vocabulary: Vocabulary) -> None:
        self.bound, self.llama, self._vocabulary = bound, bound.llama, vocabulary
        self._chains: list[Any] = []

    def chain(self, links: Sequence[Any]) -> Any:
        """One sampler of several; it owns and frees them."""
        llama = self.llama
        chain = llama.llama_sampler_chain_init(llama.llama_sampler_chain_default_params())
        self._chains.append(chain)
        for link in links:
            llama.llama_sampler_chain_add(chain, link)
        return chain

    def free(self) -> None:
        while self._chains:
            self.llama.llama_sampler_free(self._chains.pop())

    def penalties(self, wanted: Sampling, prompt: Sequence[int]) -> Any:
        """The repeat penalty, which has seen the end of the prompt."""
        link = self.llama.llama_sampler_init_penalties(
            self._vocabulary.size, wanted.repeat_last, wanted.repeat_penalty, 0.0, 0.0
        )
        for token in prompt[-wanted.repeat_last :]:
            self.llama.llama_sampler_accept(link, token)
        return link

    def plain(self, context: Any, chain: Any) -> Choose:
        sample = self.llama.llama_sampler_sample
        return lambda position: int(sample(chain, context, position))

    def grammar(self, text: str) -> Any:
        """The sampler that forbids what `text`, in GBNF, does not allow."""
        self.bound.log.lines.clear()
        with self._vocabulary.open() as handle:
            link = self.llama.llama_sampler_init_grammar(handle, text.encode(), b"root")
        if not link:
            raise UsageError(
                "the engine does not understand this grammar",
                why=self.bound.log.tail() or "it needs a rule 'root ::= ...' and valid GBNF",
                next_step="see llama.cpp's grammars/README.md for the notation",
            )
        return link

    def grammatical(
        self, context: Any, wanted: Sampling, grammar: str, prompt: Sequence[int], seed: int
    ) -> Choose:
        """Choose freely first, and under the grammar only when it forbids that token.

        The grammar looks at every token of the vocabulary, which takes longer than a small
        model does. The distribution is the same: what is allowed keeps its probability, and
        the rest is drawn again among the allowed.
        """
        llama, grammar_link = self.llama, self.grammar(grammar)
        strict = self.chain([grammar_link, *_links(self, wanted, prompt, seed ^ 0x5EED)])
        choose_strictly = self.plain(context, strict)
        if wanted.repeat_penalty != 1:  # a token that was drawn in vain must not be counted
            return choose_strictly
        choose_freely = self.plain(context, self.chain(_links(self, wanted, prompt, seed)))
        candidate = llama.llama_token_data()
        one = llama.llama_token_data_array(data=ctypes.pointer(candidate), size=1)

        def choose(position: int) -> int:
            token = choose_freely(position)
            candidate.id, candidate.logit = token, 1.0
            llama.llama_sampler_apply(grammar_link, ctypes.byref(one))
            if math.isinf(candidate.logit):
                return choose_strictly(position)
            llama.llama_sampler_accept(strict, token)
            return token

        return choose
