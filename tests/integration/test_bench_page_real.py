"""A report in a real browser: it asks for nothing, nothing fails, it fits a phone."""

from __future__ import annotations

import http.server
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from smolpc.bench.report import many
from smolpc.bench.report.html import page
from smolpc.bench.report.merged import merge
from smolpc.catalog import load_catalog
from tests.bench.report import odd
from tests.bench.results import result

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
BROWSER = next((found for name in NAMES if (found := shutil.which(name))), None)
WIDTHS = (360, 1100)
# A frame has the width of a phone; a browser window cannot be that narrow.
OUTER = """<!doctype html><title>waiting</title>
<iframe src="/page" style="width:{width}px;height:3000px;border:0"></iframe>
<script>
addEventListener("load", () => {{
  const inner = document.querySelector("iframe").contentDocument;
  const svg = [...inner.querySelectorAll("svg")].map((one) => one.getBoundingClientRect());
  const texts = [...inner.querySelectorAll("svg text")].map((one) => one.getBoundingClientRect());
  const wide = inner.documentElement.scrollWidth;
  const small = Math.min(...texts.map((one) => one.height));
  const outside = texts.filter((one) => one.left < 0 || one.right > {width}).length;
  document.title = `wide ${{wide}} plots ${{svg.length}} small ${{small}} outside ${{outside}}`;
}});
</script>"""

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(BROWSER is None, reason="no Chromium or Chrome in PATH"),
]


class Site:
    """Serves the page, and stands in for the whole internet as a proxy."""

    def __init__(self, text: str) -> None:
        self.pages = {"/page": text}
        self.asked: list[str] = []
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append(self.path)
                body = site.pages.get("/" + self.path.split("/", 3)[-1], "").encode()
                self.send_response(200 if body else 404)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_CONNECT(self) -> None:
                site.asked.append(self.path)
                self.send_error(502)

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def browse(self, path: str, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
        assert BROWSER
        self.asked.clear()
        return subprocess.run(
            [
                BROWSER,
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--no-first-run",
                f"--user-data-dir={folder / 'profile'}",
                f"--proxy-server=127.0.0.1:{self.port}",
                "--enable-logging=stderr",
                "--window-size=1200,3000",
                "--virtual-time-budget=2000",
                *more,
                f"http://bench.test/{path}",
            ],
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )

    @property
    def of_the_page(self) -> list[str]:
        """What was asked for, without what the browser asks for itself."""
        own = ("google", "gvt1.com")
        return [one for one in self.asked if not any(name in one for name in own)]


@pytest.fixture(params=["usual", "evil", "many"])
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    found = result({"in process": 1.0, "llama-server": 0.98, "Ollama": 0.78})
    if request.param == "evil":
        evil = '<img src="http://evil.test/x"><script>alert(1)</script>' + "w" * 60
        names = {one.name: f"{place}{evil}" for place, one in enumerate(found.variants)}
        found = odd.named(found, names, evil)
    template = load_catalog().template
    runs = {str(one): [result(seed=one)] for one in range(7)}
    many_pcs = request.param == "many"
    made = Site(many.page(merge(runs), template) if many_pcs else page(found, template))
    yield made
    made.server.shutdown()
    made.server.server_close()


def test_it_asks_for_nothing_and_the_console_stays_empty(site: Site, tmp_path: Path) -> None:
    picture = tmp_path / "page.png"
    done = site.browse("page", tmp_path, f"--screenshot={picture}")
    assert site.of_the_page == ["http://bench.test/page"]
    assert "CONSOLE" not in done.stderr, done.stderr
    assert picture.stat().st_size > 20_000


@pytest.mark.parametrize("width", WIDTHS)
def test_it_fits_a_phone_and_a_screen(site: Site, tmp_path: Path, width: int) -> None:
    site.pages["/outer"] = OUTER.format(width=width)
    done = site.browse("outer", tmp_path, "--dump-dom")
    title = done.stdout.partition("<title>")[2].partition("</title>")[0].split()
    said = dict(zip(title[::2], map(float, title[1::2]), strict=True))
    assert said["wide"] <= width
    assert said["plots"] >= 2 * 4
    assert said["small"] >= 11  # pixels
    assert said["outside"] == 0


def test_a_page_that_asks_would_be_noticed(tmp_path: Path) -> None:
    """The test of the test."""
    made = Site('<!doctype html><img src="http://evil.test/x"><script>nothing()</script>')
    done = made.browse("page", tmp_path, f"--screenshot={tmp_path / 'page.png'}")
    made.server.shutdown()
    assert "http://evil.test/x" in made.of_the_page
    assert "CONSOLE" in done.stderr
