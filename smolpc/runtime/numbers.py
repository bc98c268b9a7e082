"""numpy, which finds the likeliest token: imported while the engine reads a model."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import threading
from collections.abc import Iterator

BLAS_THREADS = "OPENBLAS_NUM_THREADS"


@contextlib.contextmanager
def numpy_meanwhile() -> Iterator[None]:
    """Import numpy in a thread; at the end it is there.

    Its linear algebra, which is not used here, takes memory for every core when it is loaded,
    and ends the process without an error where it gets none. So it is loaded for one thread,
    unless the user's environment says otherwise or the program imported numpy before.
    """
    if "numpy" in sys.modules:
        yield
        return
    said = os.environ.get(BLAS_THREADS)
    os.environ[BLAS_THREADS] = said or "1"
    thread = threading.Thread(target=_numpy, daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join()
        if said is None:
            del os.environ[BLAS_THREADS]


def _numpy() -> None:
    with contextlib.suppress(ImportError):  # raised again where it is used
        importlib.import_module("numpy")
