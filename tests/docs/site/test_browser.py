"""The site in a real Chromium: search, light and dark, a phone, nothing from elsewhere; all public names."""

import re
import zlib

import nbformat
import pytest

import verydeep

pytestmark = pytest.mark.slow  # the site is built

PHONE = {"width": 390, "height": 844}
DESKTOP = {"width": 1280, "height": 900}


@pytest.fixture
def open_page(browser, address):
    """A function that opens a path of the site, which asks no other server and logs no error."""
    contexts, asked, errors = [], [], []

    def opened(path, viewport=DESKTOP, scheme="light"):
        contexts.append(browser.new_context(viewport=viewport, color_scheme=scheme))
        page = contexts[-1].new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(address + path)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert [url for url in asked if not url.startswith((address, "data:"))] == []
    assert errors == []


def test_the_search_finds_a_word(open_page):
    page = open_page("index.html")
    page.fill("input[name=q]", "imbalance")
    page.press("input[name=q]", "Enter")
    page.wait_for_selector("#search-results li a[href*='data-check.html']")
    page.click("#search-results li a[href*='data-check.html'] >> nth=0")
    assert "imbalance" in page.inner_text("h1")


@pytest.mark.parametrize(("path", "label"), [("course/", "notebook"), ("course/ko/", "노트북")])
def test_a_lesson_links_its_notebook(open_page, path, label):
    page = open_page(f"{path}02-three-3x3.html")
    with page.expect_download() as download:
        page.get_by_role("link", name=label, exact=True).click()
    assert download.value.suggested_filename == "02-three-3x3.ipynb"
    cells = nbformat.read(download.value.path(), as_version=4).cells
    assert "verydeep show" in "".join(cell.source for cell in cells if cell.cell_type == "code")


def test_the_search_finds_a_korean_word(open_page):
    page = open_page("search.html?q=합성곱")
    page.wait_for_selector("#search-results li a[href*='course/ko/']")


def test_the_search_finds_a_name_of_the_api(open_page):
    page = open_page("search.html?q=train_network")
    page.wait_for_selector("#search-results li a[href*='api/training.html#verydeep.train_network']")


def test_the_colors_follow_the_system(open_page):
    backgrounds = [
        open_page("tune.html", scheme=scheme).evaluate("getComputedStyle(document.body).backgroundColor")
        for scheme in ("light", "dark")
    ]
    light, dark = (sum(map(int, re.findall(r"\d+", background)[:3])) for background in backgrounds)
    assert light > 700 and dark < 100


@pytest.mark.parametrize(
    "path",
    [
        "index.html",
        "tasks.html",
        "training.html",
        "catalog.html",
        "api/training.html",
        "commands/tune.html",
        "claims.html",
        "studies.html",
        "studies/depth.html",
        "course/ko/02-three-3x3.html",
    ],
)
def test_a_phone_scrolls_only_down(open_page, path):
    assert open_page(path, PHONE).evaluate("document.documentElement.scrollWidth") == PHONE["width"]


def test_the_keyboard_scrolls_what_is_wider_than_a_phone(open_page):
    page = open_page("index.html", PHONE)
    every = "[...document.querySelectorAll('pre, .table-wrapper')]"
    wide = page.evaluate(
        f"{every}.filter((each) => each.scrollWidth > each.clientWidth).map((e) => e.tabIndex)"
    )
    assert len(wide) > 2 and set(wide) == {0}


def test_every_public_name_is_in_the_reference(site):
    inventory = (site / "objects.inv").read_bytes().split(b"\n", 4)[4]
    named = {line.split(" ")[0] for line in zlib.decompress(inventory).decode().splitlines()}
    assert {f"verydeep.{name}" for name in verydeep.__all__} <= named


def test_the_annotations_have_the_shapes_of_tensors(site):
    page = re.sub("<[^>]+>", "", (site / "api/results.html").read_text(encoding="utf-8"))
    assert "Tensor" in page and "batch channels height width" in page
