"""The contact sheet shows the image and its neighbours, in a file that needs no other."""

import re

import pytest
from PIL import Image

from verydeep.embed.neighbours import Neighbour
from verydeep.errors import DataError
from verydeep.report.contact_sheet import SIDE, Sheet, write_sheet

COLOURS = [(200, 30, 30), (30, 200, 30), (30, 30, 200), (220, 220, 20)]


@pytest.fixture
def sheet(tmp_path):
    files = []
    for number, colour in enumerate(COLOURS):
        path = tmp_path / "colours & shades" / f"{number} {'long ' * 12}.png"
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (40, 30), colour).save(path)
        files.append(path)
    found = tuple(Neighbour(file, 0.9 - number / 10) for number, file in enumerate(files[1:]))
    return Sheet(files[0], found, "tiny, pool2, cosine similarity")


def test_the_picture_has_the_image_and_its_neighbours(sheet, tmp_path):
    write_sheet(sheet, tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as opened:
        counts = {colour: count for count, colour in opened.getcolors(1 << 20)}
        assert opened.width == 2 * 32 + 3 * SIDE + 2 * 16
    assert {colour: counts[colour] for colour in COLOURS} == dict.fromkeys(COLOURS, SIDE**2)


def test_the_page_needs_no_other_file_and_escapes_names(sheet, tmp_path):
    write_sheet(sheet, tmp_path / "sheet.html")
    page = (tmp_path / "sheet.html").read_text(encoding="utf-8")
    assert len(re.findall(r'<img src="data:image/', page)) == 4
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert "colours &amp; shades" in page and "<b>0.900</b>" in page


def test_another_suffix_is_refused(sheet, tmp_path):
    with pytest.raises(DataError, match=r"sheet.pdf is neither .png nor .html"):
        write_sheet(sheet, tmp_path / "sheet.pdf")


def test_an_image_that_has_gone_is_named(sheet, tmp_path):
    sheet.neighbours[1].file.unlink()
    with pytest.raises(DataError, match="is not there"):
        write_sheet(sheet, tmp_path / "sheet.png")
    assert not (tmp_path / "sheet.png").exists()
