"""What this machine could do at most with a model: its peaks, and the roof they set.

peaks    memory.py and matrices.py measure, instructions.py derives
work     pure: bytes and operations of one token
roof     pure: the limit, and how near to it a measured rate is
report   all together, with what makes the result less sure
"""

from smolpc.bench.limit.report import limit
from smolpc.bench.limit.roof import bound, share

__all__ = ["bound", "limit", "share"]
