"""Run a program that must not outlive smolpc, even when smolpc is killed with -9.

Started by `proc.run(..., guard=True)` as `python -I -S proc_guard.py PROGRAM ARG...`. Its
standard input is a pipe from smolpc; when smolpc dies the pipe ends, and the guard ends
the program with everything it started. Standard library only, so that it starts at once.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Ask first: Ninja answers SIGTERM by ending its compilers and their half-written files."""
    if sys.platform == "win32":
        subprocess.run(
            ["taskkill", "/F", "/T", "/PID", str(process.pid)],  # noqa: S607
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
        )
    else:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(5)
        os.killpg(0, signal.SIGKILL)


def main() -> None:
    process = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)

    def watch() -> None:
        sys.stdin.buffer.read()
        _end(process)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    code = process.wait()
    sys.stdout.flush()
    os._exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main()
