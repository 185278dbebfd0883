"""A small folder of images with data quality issues, for the tests of the tables and the page."""

from PIL import Image

from verydeep.check.check import CheckResult, check_images
from verydeep.data.synthetic import shapes
from verydeep.image_sources.folders.read_folder import read_folder


def checked_shapes(folder) -> CheckResult:
    """Synthetic shapes, one of them in two classes, and an unreadable file with HTML in its name."""
    drawn = shapes(20, size=64, channels=3, classes=2)
    for number, (pixels, label) in enumerate(zip(drawn.pixels, drawn.labels.tolist(), strict=True)):
        file = folder / drawn.classes[label] / f"{number:02}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(file)
    first = sorted((folder / drawn.classes[0]).iterdir())[0]
    (folder / drawn.classes[1] / "again.png").write_bytes(first.read_bytes())
    (folder / drawn.classes[1] / "<b>.png").write_bytes(b"not an image")
    return check_images(read_folder(folder))
