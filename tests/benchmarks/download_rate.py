"""net.download against curl and aria2c, from the same loopback server, measured in pairs.

    python tests/benchmarks/download_rate.py [--folder DIR] [--size MIB] [--pairs N] [--only a|b]

(a) unthrottled: our download, which hashes, against `curl -o`, which does not.
(b) the server limits each connection to 20 MB/s: ours against curl and `aria2c -x8 -s8 -k1M`.

Every run is a fresh process with a fresh file. Our time is that of the call (a program that
downloads has Python running already); the others' is that of their process. The load of the
machine changes over minutes, so only the ratio within a pair means something: A B, B A, A B;
the median over the pairs is the result.

Ours returns when the file is on the disk (fsync): a model that a power cut takes away would
have been reported as installed. curl returns when it is in the page cache. So (a) compares
with curl followed by `sync FILE`, on a real disk. On a RAM disk, where a flush costs nothing,
plain curl is the other side; there it is the processor that limits us: on two cores the
receiver, the hash and the server share them. That figure is printed and not judged.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
RAM_DISK = Path("/dev/shm")
LIMIT = 20_000_000  # bytes a second and connection
OURS = """
import sys, time
from pathlib import Path
from smolpc import net
from smolpc.console import Silent
import smolpc.net.fetch.crew, requests
start = time.monotonic()
done = net.download(sys.argv[1], Path(sys.argv[2]), sha256=sys.argv[3], size=int(sys.argv[4]),
                    reporter=Silent(), title="x", settings=net.NetSettings())
print(time.monotonic() - start, done.streams)
"""
Side = Callable[[str, Path], float]


@contextmanager
def server(source: Path, rate: int = 0) -> Iterator[str]:
    argv = [sys.executable, "-m", "tests.sim.fast", str(source), "--rate", str(rate)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(argv, cwd=ROOT, **pipes) as process:  # type: ignore[call-overload]
        yield f"http://127.0.0.1:{int(process.stdout.readline())}/model.gguf"
        process.stdin.close()


def timed(argv: list[str]) -> float:
    start = time.monotonic()
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - start


def curl(url: str, target: Path) -> float:
    return timed(["curl", "-s", "-o", str(target), url])


def curl_and_sync(url: str, target: Path) -> float:
    return curl(url, target) + timed(["sync", str(target)])


def aria2(url: str, target: Path) -> float:
    where = ["-d", str(target.parent), "-o", target.name]
    return timed(["aria2c", "-q", "-x8", "-s8", "-k1M", "--file-allocation=none", *where, url])


def ours(digest: str, size: int) -> Side:
    def run(url: str, target: Path) -> float:
        argv = [sys.executable, "-c", OURS, url, str(target), digest, str(size)]
        done = subprocess.run(argv, cwd=ROOT, check=True, capture_output=True, text=True)
        return float(done.stdout.split()[0])

    return run


def median_ratio(name: str, ours: Side, other: Side, url: str, folder: Path, pairs: int) -> float:
    """Median of our time / their time; prints every pair."""
    ratios = []
    for pair in range(pairs):
        times: dict[Side, float] = {}
        for side in (ours, other) if pair % 2 else (other, ours):
            target = folder / "incoming" / "model.gguf"
            shutil.rmtree(target.parent, ignore_errors=True)
            target.parent.mkdir()
            times[side] = side(url, target)
            shutil.rmtree(target.parent)
        ratios.append(times[ours] / times[other])
        print(f"  {name}: {times[ours]:.2f} s / {times[other]:.2f} s = {ratios[-1]:.3f}")
    print(f"{name}: median ratio {statistics.median(ratios):.3f}", flush=True)
    return statistics.median(ratios)


@contextmanager
def source_in(folder: Path | None, mib: int) -> Iterator[tuple[Path, Path, Side]]:
    """A folder for one comparison, the file in it, and our side of it."""
    with tempfile.TemporaryDirectory(dir=folder) as name:
        source = Path(name) / "source"
        size = ["bs=1M", f"count={mib}", "status=none"]
        subprocess.run(["dd", "if=/dev/urandom", f"of={source}", *size], check=True)
        digest = subprocess.run(["sha256sum", str(source)], capture_output=True, check=True)
        yield (
            Path(name),
            source,
            ours(digest.stdout.split()[0].decode(), source.stat().st_size),
        )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, help="on a real disk (default: for temporary files)")
    parser.add_argument("--size", type=int, default=1024, help="MiB")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--only", choices=["a", "b"])
    args = parser.parse_args()

    good = True
    with source_in(args.folder, args.size) as (folder, source, mine):
        if args.only != "b":
            with server(source) as url:
                what = "(a) unthrottled, ours / curl + sync"
                good &= median_ratio(what, mine, curl_and_sync, url, folder, args.pairs) <= 1.10
        if args.only != "a":
            with server(source, LIMIT) as url:
                pairs = max(1, args.pairs // 2)
                what = "(b) 20 MB/s a connection, ours / aria2c"
                good &= median_ratio(what, mine, aria2, url, folder, args.pairs) <= 1.10
                what = "(b) 20 MB/s a connection, ours / curl"
                good &= median_ratio(what, mine, curl, url, folder, pairs) <= 1 / 3
    if args.only != "b" and RAM_DISK.is_dir():
        with source_in(RAM_DISK, args.size) as (folder, source, mine), server(source) as url:
            what = "not judged: RAM disk, ours / curl"
            median_ratio(what, mine, curl, url, folder, args.pairs)
    print("kept" if good else "NOT kept")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
