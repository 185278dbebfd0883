"""Images as data URIs, and which of them are enlarged pixel by pixel."""

import numpy as np
import pytest

from verydeep.report.pictures import CRISP_SIDE, is_crisp, picture

from .evaluations import mistake


@pytest.mark.parametrize(
    ("height", "width", "crisp"),
    [(CRISP_SIDE, CRISP_SIDE, True), (CRISP_SIDE + 1, 8, False), (8, CRISP_SIDE + 1, False)],
)
def test_an_image_is_crisp_if_both_sides_are_short(height, width, crisp):
    image = np.zeros((3, height, width), np.uint8)
    assert is_crisp(image) is crisp
    shown = picture(mistake(), image, "a.png")
    assert shown.is_crisp is crisp
    assert shown.uri.startswith(f"data:image/{'png' if crisp else 'jpeg'};base64,")


def test_a_picture_has_the_facts_of_its_mistake():
    shown = picture(mistake(), np.zeros((1, 8, 8), np.uint8), "a.png")
    assert (shown.name, shown.label, shown.predicted, shown.confidence) == ("a.png", "cat", "dog", 0.973)
