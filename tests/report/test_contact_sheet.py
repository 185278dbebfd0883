"""The contact sheet shows the query image and its neighbors, in one file."""

import re

import pytest
from PIL import Image

from verydeep.embed.neighbors import Neighbor
from verydeep.embed.similar_images import SimilarImages
from verydeep.errors import DataError
from verydeep.report.contact_sheet import SIDE, write_contact_sheet

COLORS = [(200, 30, 30), (30, 200, 30), (30, 30, 200), (220, 220, 20)]


@pytest.fixture
def similar(tmp_path):
    files = []
    for number, color in enumerate(COLORS):
        path = tmp_path / "colors & shades" / f"{number} {'long ' * 12}.png"
        path.parent.mkdir(exist_ok=True)
        Image.new("RGB", (40, 30), color).save(path)
        files.append(path)
    neighbors = tuple(Neighbor(str(file), 0.9 - number / 10) for number, file in enumerate(files[1:]))
    return SimilarImages(
        image=files[0], network="tiny", layer="pool2",
        neighbors=neighbors, sources=tuple(files[1:]), broken=(),
    )  # fmt: skip


def test_the_picture_has_the_image_and_its_neighbors(similar, tmp_path):
    write_contact_sheet(similar, tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as opened:
        counts = {color: count for count, color in opened.getcolors(1 << 20)}
        assert opened.width == 2 * 32 + 3 * SIDE + 2 * 16
    assert {color: counts[color] for color in COLORS} == dict.fromkeys(COLORS, SIDE**2)


def test_the_page_is_one_file_and_escapes_names(similar, tmp_path):
    write_contact_sheet(similar, tmp_path / "sheet.html")
    page = (tmp_path / "sheet.html").read_text(encoding="utf-8")
    assert len(re.findall(r'<img src="data:image/', page)) == 4
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert "colors &amp; shades" in page and "<b>0.900</b>" in page
    assert "tiny, pool2, cosine similarity" in page


def test_another_suffix_is_rejected(similar, tmp_path):
    with pytest.raises(DataError, match=r"sheet.pdf is neither .png nor .html"):
        write_contact_sheet(similar, tmp_path / "sheet.pdf")


def test_an_image_that_no_longer_exists_is_an_empty_place_with_its_name(similar, tmp_path):
    similar.sources[1].unlink()
    for name in ("sheet.png", "sheet.html"):
        write_contact_sheet(similar, tmp_path / name)
    with Image.open(tmp_path / "sheet.png") as opened:
        colors = {color for _, color in opened.getcolors(1 << 20)}
    assert [color in colors for color in COLORS] == [True, True, False, True]
    page = (tmp_path / "sheet.html").read_text(encoding="utf-8")
    assert page.count("<img ") == 3 and similar.sources[1].name in page


def test_a_query_that_no_longer_exists_is_reported(similar, tmp_path):
    similar.image.unlink()
    with pytest.raises(DataError, match="does not exist"):
        write_contact_sheet(similar, tmp_path / "sheet.png")
    assert not (tmp_path / "sheet.png").exists()
