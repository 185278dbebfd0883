"""The lessons of the course run as notebooks, and print and draw what their pages show."""

import importlib.util
import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from nbclient import NotebookClient
from PIL import Image

from .pages import ROOT, without_blocks

COURSE = ROOT / "docs/course"
LESSONS = sorted(COURSE.glob("[0-9]*.md"))
CHAINS = (["04", "09", "10"], ["01", "02", "03"], ["05", "08"], ["06"], ["07"])
"""Lessons that run one after the other in one folder: 10 uses the network of lesson 4 and an image of 9."""


@dataclass(frozen=True)
class Tolerance:
    """How much a number may differ from that of the page: other processors round differently."""

    points: float = 0
    """Of a percentage."""
    relative: float = 0
    """Of another number, as a share of it."""
    of_one_image: float = 0
    """Of a percentage in a line on a single image: another network gives it another probability."""


COLORED = 40
"""A pixel whose channels differ by more has a color: of a curve or a dot, not of text."""
LEAST_COLORED = 0.0005
"""A picture with a smaller share of such pixels is in gray, but for a title or two."""
TOLERANCES = {
    "04": Tolerance(points=3, relative=0.2),
    "05": Tolerance(relative=0.5),
    "06": Tolerance(points=35),  # without batch norm, the network learns at some seeds only
    "07": Tolerance(points=8, relative=1),
    "08": Tolerance(relative=0.5),
    "09": Tolerance(points=15),
    "10": Tolerance(points=10, relative=0.6, of_one_image=40),
}
OTHER_PICTURES = {"10": {"explained/00010-occlusion.png": "10-heat-map.png"}}
"""Pictures that a command of a lesson makes, and their names beside its page."""


def notebooks():
    """The module that converts the lessons."""
    spec = importlib.util.spec_from_file_location("notebooks", COURSE / "notebooks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def number(page):
    return page.name[:2]


def shown_outputs(page):
    """Of each block that runs, what the page says it prints; None where it says nothing."""
    fenced = re.findall(r"^```(\w+)\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    following = [*fenced[1:], ("", "")]
    return [
        text if kind == "text" else None
        for (language, _), (kind, text) in zip(fenced, following, strict=True)
        if language in ("python", "sh")
    ]


def run(page, folder):
    """What each cell of the lesson's notebook prints, run in ``folder``."""
    notebook = notebooks().notebook(page)
    NotebookClient(notebook, timeout=600, resources={"metadata": {"path": str(folder)}}).execute()
    printed = (
        "".join(output.text for output in cell.outputs if output.get("name") == "stdout")
        for cell in notebook.cells
        if cell.cell_type == "code"
    )
    return [re.sub(r"\x1b\[[\d;]*m", "", text) for text in printed]


NUMBER = re.compile(r"(?<![\w.])\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?")


def numbers(text):
    """Every number of a text, and whether it is a percentage."""
    return [
        (float(match[0].replace(",", "")), text[match.end() :].lstrip().startswith("%"))
        for match in NUMBER.finditer(text)
    ]


def words(text):
    """A text without its numbers and its layout."""
    return " ".join(NUMBER.sub("0", text).split())


def is_close(actual, shown, tolerance):
    """Whether two lines are alike; a line that ends in ``...`` shows the beginning of another."""
    if shown.endswith(" ..."):
        shown = shown.removesuffix(" ...")
        actual = " ".join(actual.split()[: len(shown.split())])
    points = tolerance.of_one_image if ".png: " in shown else tolerance.points
    return words(actual) == words(shown) and all(
        abs(got - value) <= (points if is_percentage else tolerance.relative * value)
        for (got, _), (value, is_percentage) in zip(numbers(actual), numbers(shown), strict=True)
    )


def assert_printed(actual, shown, tolerance):
    """The lines of ``shown`` are printed in this order; a line ``...`` leaves out others."""
    printed, may_skip = actual.rstrip().splitlines(), False
    for wanted in shown.splitlines():
        if wanted == "...":
            may_skip = True
            continue
        position = next((i for i, line in enumerate(printed) if is_close(line, wanted, tolerance)), None)
        assert position is not None, f"the page shows {wanted!r}, and the lesson prints {printed}"
        assert may_skip or position == 0, f"the page leaves out {printed[0]!r} without ..."
        printed, may_skip = printed[position + 1 :], False
    assert may_skip or not printed


def percentages(text):
    return [value for value, is_percentage in numbers(text) if is_percentage]


def assert_conclusion(lesson, outputs):
    """What the text of a lesson says about its numbers, on any machine."""
    if lesson == "06":  # batch norm is better at every learning rate, and the more so at larger ones
        without, with_norm = np.split(np.array(percentages(outputs[0])), 2)
        assert (with_norm > without).all()
        assert with_norm[-1] > with_norm[0] + 10 and without[-1] < 30
    if lesson == "07":  # without augmentation: lower training loss, larger validation loss at the end
        losses = re.findall(r"loss (\S+) and (\S+), best (\S+),", outputs[0])
        (train, val, best), (augmented_train, augmented_val, _) = np.array(losses, dtype=float)
        assert train < augmented_train and val > best and val > augmented_val
    if lesson == "09":  # few images: the frozen network is better than training from scratch
        frozen, scratch = (
            percentages(line)[0] for line in outputs[1].splitlines() if line.startswith("Balanced")
        )
        assert frozen > scratch


def assert_drawn(picture, committed, limit):
    """The picture looks like that of the page: the same size, as much color, a difference below ``limit``.

    It is also much nearer to that of the page than white paper is.
    """
    drawn, shown = (np.asarray(Image.open(path).convert("RGB"), dtype=float) for path in (picture, committed))
    assert drawn.shape == shown.shape
    assert abs(drawn - shown).mean() / 255 <= limit
    assert abs(drawn - shown).mean() <= 0.7 * abs(255 - shown).mean()
    of_drawn, of_shown = (np.ptp(pixels, axis=2) > COLORED for pixels in (drawn, shown))
    if of_shown.mean() > LEAST_COLORED:
        assert 0.5 <= of_drawn.sum() / of_shown.sum() <= 2


@pytest.mark.slow
@pytest.mark.network
@pytest.mark.parametrize("chain", CHAINS, ids=" ".join)
def test_lessons_run_and_print_and_draw_what_their_pages_show(chain, tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    for page in LESSONS:
        if number(page) in chain:
            tolerance = TOLERANCES.get(number(page), Tolerance())
            outputs = run(page, tmp_path)
            for actual, shown in zip(outputs, shown_outputs(page), strict=True):
                if shown is not None:
                    assert_printed(actual, shown, tolerance)
            assert_conclusion(number(page), outputs)
            (picture,) = tmp_path.glob(f"{number(page)}-*.png")
            pictures = {picture.name: picture.name} | OTHER_PICTURES.get(number(page), {})
            for drawn, shown in pictures.items():
                limit = 0.2 if tolerance.points else 0.01
                assert_drawn(tmp_path / drawn, COURSE / "pictures" / shown, limit)


def cells(page):
    return [cell.source for cell in notebooks().notebook(page).cells if cell.cell_type == "code"]


def test_the_korean_notebooks_have_the_cells_of_the_english_ones():  # which are the ones that run
    korean = sorted(COURSE.glob("ko/[0-9]*.md"))
    assert notebooks().lessons() == sorted([*LESSONS, *korean])
    assert [cells(page) for page in korean] == [cells(page) for page in LESSONS]


def test_every_lesson_runs():
    assert sorted(lesson for chain in CHAINS for lesson in chain) == [number(page) for page in LESSONS]


@pytest.mark.parametrize("page", LESSONS, ids=number)
def test_a_lesson_has_at_most_ten_lines_of_python_besides_its_imports(page):
    blocks = re.findall(r"^```python\n(.*?)^```$", page.read_text(encoding="utf-8"), re.M | re.S)
    lines = "".join(blocks).splitlines()
    assert len([line for line in lines if line and not line.startswith(("import ", "from "))]) <= 10


def test_the_contents_have_every_lesson_in_order():
    linked = re.findall(r"\]\((\d\d-[\w-]+\.md)\)", (COURSE / "index.md").read_text(encoding="utf-8"))
    assert linked == [page.name for page in LESSONS]


FACTS = {
    "04": {"60,000", "95 %"},  # the size of Fashion-MNIST; the usual interval
    "05": {"0.1"},  # Simonyan and Zisserman 2014, section 3.1
    "08": {"60,000"},  # the size of Fashion-MNIST
    "10": {"3,500", "90 %", "95 %", "0.9", "0.1"},  # 1.96 * sqrt(0.9 * 0.1 / 3,500) is one point
}
"""Numbers in the text of a lesson that it does not print."""


@pytest.mark.parametrize("page", LESSONS, ids=number)
def test_the_measured_numbers_of_the_text_are_printed(page):
    """Percentages, fractions and numbers of four digits or more are in a block of the page."""
    text, _, _ = page.read_text(encoding="utf-8").partition("## More")
    prose = re.sub(r"`[^`]*`|\]\([^)]*\)", "", without_blocks(text))
    named = re.findall(r"\d+(?:\.\d+)? %|\d+\.\d+|\d{1,3}(?:,\d{3})+", prose)
    blocks = "\n".join(re.findall(r"^```.*?^```$", text, re.MULTILINE | re.DOTALL))
    printed = set(NUMBER.findall(re.sub(r"(?<=\d)[,_](?=\d)", "", blocks)))
    missing = {each for each in named if each.removesuffix(" %").replace(",", "") not in printed}
    assert missing <= FACTS.get(number(page), set())


def test_the_sample_size_of_lesson_10():
    assert round(1.96 * (0.9 * 0.1 / 3_500) ** 0.5, 4) == 0.0099


@pytest.mark.parametrize("picture", sorted((COURSE / "pictures").glob("*.png")), ids=lambda path: path.stem)
def test_a_picture_without_its_contents_would_be_noticed(picture, tmp_path):
    shown = Image.open(picture).convert("RGB")
    Image.new("RGB", shown.size, "white").save(tmp_path / "white.png")
    with pytest.raises(AssertionError):
        assert_drawn(tmp_path / "white.png", picture, 1.0)
    assert_drawn(picture, picture, 0.0)
