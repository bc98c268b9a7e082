"""Run a program that must not outlive smolpc, even when smolpc is killed with -9.

Started by `proc.run(..., guard=LOCK)` as `python -I proc_guard.py LOCK PROGRAM ARG...`. Its
standard input is a pipe from smolpc; when smolpc dies the pipe ends, and the guard ends the
program with everything it started. The lock is held until then, so that a program of the
next smolpc never works in the same folder at the same time. With "" for LOCK there is none,
and when the program ends, however that was, everything that it started is ended too.
"""

import contextlib
import os
import subprocess
import sys
import threading

import psutil
from filelock import FileLock


def _end(process: psutil.Popen) -> None:
    """Ask first: Ninja answers by ending its compilers and their half-written files."""
    family: list[psutil.Process] = [process]
    with contextlib.suppress(psutil.Error):
        family += process.children(recursive=True)
    with contextlib.suppress(psutil.Error):
        process.terminate()
    _, alive = psutil.wait_procs(family, timeout=3)
    for member in alive:
        with contextlib.suppress(psutil.Error):
            member.kill()
    psutil.wait_procs(alive, timeout=3)


def _adopt_orphans() -> None:
    """On Linux, what the program leaves behind becomes a child of this process."""
    if sys.platform == "linux":
        import ctypes

        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER


def _end_orphans() -> None:
    for orphan in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.Error):
            orphan.kill()


def main() -> None:
    alone = not sys.argv[1]
    if alone:
        _adopt_orphans()
    with contextlib.nullcontext() if alone else FileLock(sys.argv[1]):
        process = psutil.Popen(sys.argv[2:], stdin=subprocess.DEVNULL)

        ending = threading.Event()

        def watch() -> None:
            sys.stdin.buffer.read()
            ending.set()
            _end(process)
            if alone:
                _end_orphans()
            os._exit(1)

        watcher = threading.Thread(target=watch, daemon=True)
        watcher.start()
        code = process.wait()
        if ending.is_set():
            watcher.join()  # what the program started is still being ended
        if alone:
            _end_orphans()
        sys.stdout.flush()
        os._exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main()
