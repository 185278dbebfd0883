"""Labeled images of an evaluation: their small pictures on the page."""

from PIL import Image

from verydeep.evaluate.labeled_images import read_labeled


def test_the_small_picture_of_a_wide_file_shows_all_of_it(tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / "images" / name).mkdir(parents=True)
        picture = Image.new("RGB", (400, 100), "black")
        picture.paste((250, 0, 0), (360, 0, 400, 100))  # outside the center square
        picture.save(tmp_path / "images" / name / "1.png")
    images = read_labeled(str(tmp_path / "images"), ("cat", "dog"), tmp_path)
    red, green, blue = images.thumbnail(0)
    side = red.shape[0]
    assert red.shape == (side, side)
    assert red[side // 2, -5:].min() == 250 and green[side // 2, -5:].max() == 0
    assert green[0].min() == blue[-1].min() == 255  # white above and below
