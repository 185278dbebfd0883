"""The page of a data check: all findings and images are in it."""

import re

import pytest

from verydeep.check.findings import findings
from verydeep.report.check_page import render

from ..check.shapes_folder import checked_shapes


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    return checked_shapes(tmp_path_factory.mktemp("check") / "shapes")


def test_the_page_shows_the_findings_and_the_images(result):
    page = render(result, findings(result))
    for finding in findings(result):
        assert finding.message.split("'")[0] in page
    assert "&lt;b&gt;.png" in page and "<b>.png" not in page
    assert "same bytes" in page and 'class="conflict"' in page
    images = re.findall(r'src="data:image/jpeg;base64,[^"]+"', page)
    assert len(images) == 2 * len(result.duplicates.pairs) + 2 * 6
    assert not re.search(r'(src|href)="(?!data:)', page)  # needs no other file
    assert 'class="series-1"' in page and ".series-1 { color:" in page
