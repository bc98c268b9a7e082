"""How much memory a model needs on which device, and which settings fit a machine best.

shape_of(header), shape_of_manifest(manifest)   what the model is
devices_of(host)                                where it may go
estimate(shape, settings, devices)              what it takes with given settings
best(shape, devices)                            the settings that fit, and the verdict
smaller(shape, devices, tried, used)            the next attempt when a GPU had less than it said
"""

from smolpc.plan.fit.host import devices_of, reserved
from smolpc.plan.fit.manifest import shape_of_manifest
from smolpc.plan.fit.memory import estimate
from smolpc.plan.fit.search import FLOOR, LEAST, RUNTIME, UBATCHES, best, smaller
from smolpc.plan.fit.shape import shape_of

__all__ = [
    "FLOOR",
    "LEAST",
    "RUNTIME",
    "UBATCHES",
    "best",
    "devices_of",
    "estimate",
    "reserved",
    "shape_of",
    "shape_of_manifest",
    "smaller",
]
