"""Take the pictures of the site, the live page and the training report that the docs show.

    make docs
    .venv/bin/verydeep train fashion-mnist
    .venv/bin/python benchmarks/take_pictures.py build/site runs/fast-fashion-mnist/report.html

They are taken with Chromium, from a server on this machine.
"""

import argparse
import functools
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, sync_playwright

DOCS = Path(__file__).parents[1] / "docs"
SECONDS_OF_PYTHON = 120
"""In which the live page has loaded Python, on a busy machine."""


@dataclass(frozen=True)
class Picture:
    """A page, as someone sees it in a window of this size."""

    file: str
    page: str
    width: int
    height: int
    color: Literal["light", "dark"] = "light"
    ready: str = "body"
    """Selects what is there when the page is complete."""


LIVE = "live/index.html#network=vgg16&second=resnet34"
READY = "#status:has-text('loaded in')"
PICTURES = (
    Picture("pictures/site.png", "gallery.html", 1280, 860),
    Picture("pictures/site-phone.png", "commands/train.html", 390, 844, "dark"),
    Picture("pictures/studies-page.png", "studies/transfer.html", 1280, 860),
    Picture("pictures/studies-page-phone.png", "studies/transfer.html", 390, 844, "dark"),
    Picture("pictures/live-page.png", LIVE, 1260, 1500, ready=READY),
    Picture("pictures/live-page-phone.png", LIVE, 390, 1100, "dark", ready=READY),
)
REPORT = Picture("report.png", "report.html", 1100, 1640)


def main() -> None:
    """Take all pictures, and print their names."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("site", type=Path, help="the built site")
    parser.add_argument("report", type=Path, help="the report of a training")
    arguments = parser.parse_args()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        with _served(arguments.site) as address:
            for picture in PICTURES:
                print(_take(browser, picture, f"{address}/{picture.page}"))
        print(_take(browser, REPORT, arguments.report.resolve().as_uri()))
        browser.close()


def _take(browser: Browser, picture: Picture, address: str) -> Path:
    tab = browser.new_page(
        viewport={"width": picture.width, "height": picture.height}, color_scheme=picture.color
    )
    tab.goto(address)
    tab.wait_for_selector(picture.ready, timeout=1_000 * SECONDS_OF_PYTHON)
    tab.wait_for_timeout(1_000)  # what is drawn after that, such as the comparison
    file = DOCS / picture.file
    tab.screenshot(path=str(file))
    tab.close()
    return file


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    """The address of a server of ``folder``."""
    handler = functools.partial(_Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Print nothing."""


if __name__ == "__main__":
    main()
