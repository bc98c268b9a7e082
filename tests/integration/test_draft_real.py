"""A draft model: faster or not, the answer is the same; and what is wrong with it is said.

The only real model here drafts for itself.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import psutil
import pytest

from smolpc.errors import UsageError
from smolpc.runtime.engine import Engine
from smolpc.runtime.measuring import Measurer, NotMeasured
from smolpc.schema.fit import FitSettings
from smolpc.schema.running import RunSettings
from smolpc.settings import Settings
from smolpc.store.artifacts import open_verified
from tests.integration.conftest import Provisioned

pytestmark = pytest.mark.integration

QUESTION = "Why is the sky blue?"
PLAIN = RunSettings(memory=FitSettings(context=1024), threads=1, speculation="off")


def drafting(provisioned: Provisioned) -> RunSettings:
    generation = provisioned.report.generation
    assert generation is not None
    name = generation.model_name
    return msgspec.structs.replace(PLAIN, speculation="draft", draft_model=name)


def opened(provisioned: Provisioned, settings: RunSettings) -> Engine:
    config = Settings(store=str(provisioned.store.root))
    model, artifact = provisioned.model, provisioned.artifact
    return Engine.open(model, artifact=artifact, config=config, settings=settings)


@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_the_answer_is_the_one_without_it(provisioned: Provisioned, temperature: float) -> None:
    with opened(provisioned, PLAIN) as engine:
        plain = engine.generate(QUESTION, temperature=temperature, seed=7, max_tokens=120).result
    with opened(provisioned, drafting(provisioned)) as engine:
        streams = [
            engine.generate(QUESTION, temperature=temperature, seed=7, max_tokens=120)
            for _ in range(2)
        ]
        results = [stream.result for stream in streams]
    for result in results:
        assert result.text == plain.text
        assert not [note for note in result.notes if "draft" in note]
    assert results[0].accepted_tokens > 0


def test_a_draft_model_shares_threads_and_memory_and_leaves_with_its_model(
    provisioned: Provisioned,
) -> None:
    process = psutil.Process()
    with opened(provisioned, PLAIN) as engine:
        engine.generate(QUESTION, max_tokens=4).result  # noqa: B018
        threads, alone = process.num_threads(), engine.loaded().bytes
    with opened(provisioned, drafting(provisioned)) as engine:
        engine.generate(QUESTION, max_tokens=4).result  # noqa: B018
        assert process.num_threads() <= threads
        assert engine.loaded().bytes > 1.5 * alone
        engine.unload(engine.models[0])
        assert engine.models == ()


def test_a_draft_model_that_is_not_here_is_an_error(provisioned: Provisioned) -> None:
    settings = msgspec.structs.replace(PLAIN, speculation="draft", draft_model="smollm9")
    with pytest.raises(UsageError, match="smollm9"):
        opened(provisioned, settings)


def test_the_tuner_can_measure_it(provisioned: Provisioned) -> None:
    settings = drafting(provisioned)
    artifact = open_verified(provisioned.artifact)
    measured = (provisioned.artifact, artifact.lib_dir, provisioned.model)
    with Measurer(*measured, provisioned.model) as measurer:
        with_it = measurer.measure(settings, prompt=1, answer=32, real=True)
        without = measurer.measure(PLAIN, prompt=1, answer=32, real=True)
    assert with_it.answer > 0 and without.answer > 0
    with Measurer(*measured, Path("/nowhere.gguf")) as measurer, pytest.raises(NotMeasured):
        measurer.measure(settings, prompt=1, answer=8, real=True)
