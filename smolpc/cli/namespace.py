"""The one namespace of tasks, for `smolpc` and for `invoke` in a checkout."""

from __future__ import annotations

from invoke.collection import Collection

from smolpc.cli import (
    artifacts,
    backends,
    bench,
    build,
    chat,
    config,
    detect,
    doctor,
    models,
    profiles,
    run,
    serve,
    setup,
    tune,
    version,
    warm,
)

namespace = Collection(
    setup.setup,
    setup.plan,
    detect.detect,
    doctor.doctor,
    build.build,
    run.run,
    serve.serve,
    tune.tune,
    warm.warm,
    chat.chat,
    version.version,
    profiles=Collection(profiles.list_, profiles.show, profiles.why, profiles.render),
    artifacts=Collection(artifacts.list_, artifacts.show, artifacts.verify, artifacts.gc),
    backends=Collection(backends.list_, backends.pull),
    bench=bench.namespace,
    models=Collection(*models.TASKS),
    config=Collection(config.show, config.set_, config.unset),
)


def commands() -> list[str]:
    """Every word that names a command, also that of a group with one of its own (`bench`)."""
    names = namespace.task_names
    return [*names, *(other for others in names.values() for other in others)]
