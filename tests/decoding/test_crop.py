"""Random resized crops of files: where they lie, and that they show what the image has there."""

import io
import math

import numpy as np
import pytest
import torch
from PIL import Image

from tests.data.pictures import picture, save
from verydeep.architecture.preprocess import Preprocess
from verydeep.data.augmentation.color import draw_crop, random_resized_crop
from verydeep.decoding import fast_jpeg
from verydeep.decoding.crop import MAX_ASPECT_RATIO, Crop, crop_box, decode_crop

DECODERS = ("pillow", "fast") if fast_jpeg.is_installed() else ("pillow",)
SMALL = Preprocess(size=32, mean=(0.5,) * 3, std=(0.5,) * 3)
XMP_ROTATED = (
    b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    b'<rdf:Description tiff:Orientation="6" xmlns:tiff="http://ns.adobe.com/tiff/1.0/"/></rdf:RDF></x:xmpmeta>'
)


def crops(count=200, min_area=0.08):
    return [Crop(*row) for row in draw_crop(count, min_area, torch.Generator().manual_seed(0)).tolist()]


@pytest.mark.parametrize(("width", "height"), [(500, 375), (375, 500), (64, 64), (1000, 40)])
def test_a_crop_lies_inside_the_image_and_is_not_stretched(width, height):
    boxes = [crop_box(width, height, crop) for crop in crops()]
    for left, top, right, bottom in boxes:
        assert -1e-9 <= left < right <= width + 1e-9 and -1e-9 <= top < bottom <= height + 1e-9
        ratio = (right - left) / (bottom - top)
        assert 1 / MAX_ASPECT_RATIO - 1e-9 <= ratio <= MAX_ASPECT_RATIO + 1e-9
    centers = np.array(
        [((left + right) / 2 / width, (top + bottom) / 2 / height) for left, top, right, bottom in boxes]
    )
    assert np.abs(centers.mean(0) - 0.5).max() < 0.05
    if width / height < 2:
        areas = [(right - left) * (bottom - top) / width / height for left, top, right, bottom in boxes]
        assert min(areas) >= 0.079 and max(areas) > 0.7


@pytest.mark.parametrize(("width", "height"), [(500, 375), (375, 500), (64, 64)])
def test_a_crop_relative_to_the_short_side_is_a_square_at_any_place(width, height):
    for corner in ((-1, -1), (1, 1), (0, 0.5)):
        crop = Crop(7 / 8, 1.0, *corner, of_short_side=True)
        left, top, right, bottom = crop_box(width, height, crop)
        assert right - left == pytest.approx(7 / 8 * min(width, height)) == pytest.approx(bottom - top)
        assert top == pytest.approx((1 + corner[0]) / 2 * (height - (bottom - top)))
        assert left == pytest.approx((1 + corner[1]) / 2 * (width - (right - left)))


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("squash", [False, True])
def test_a_crop_of_a_file_is_that_of_the_image_in_memory(tmp_path, decoder, squash):
    """Of a square image of twice the input size, resized in memory before or after it is cropped."""
    file = save(picture(5, 64, 64), tmp_path / "one.jpg", quality=95, subsampling=0)
    preprocess = SMALL.with_fit("squash") if squash else SMALL
    pixels = torch.from_numpy(np.asarray(Image.open(file).resize((32, 32), Image.Resampling.BILINEAR)).copy())
    memory, limit = pixels.permute(2, 0, 1)[None], 4 if decoder == "pillow" else 8
    for crop in crops(20, 0.3):
        decoded, is_cropped = decode_crop(file, preprocess, crop, decoder)
        expected = random_resized_crop(memory, torch.tensor([crop[:4]]))[0]
        assert is_cropped and decoded.shape == (3, 32, 32)
        assert np.abs(decoded.astype(int) - expected.numpy()).mean() < limit


@pytest.mark.parametrize("decoder", DECODERS)
def test_an_image_of_the_input_size_comes_whole_unless_the_evaluation_cuts_its_border(tmp_path, decoder):
    file = save(picture(1, 32, 32), tmp_path / "one.jpg")
    (crop,) = crops(1)
    assert not decode_crop(file, SMALL, crop, decoder).is_cropped
    cut = Preprocess(size=32, resize=40, mean=SMALL.mean, std=SMALL.std)
    assert decode_crop(file, cut, crop, decoder).is_cropped


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("kind", ["rotated", "rotated by xmp", "cmyk", "gray", "png", "to gray"])
def test_unusual_files_are_decoded_as_by_pillow(tmp_path, decoder, kind):
    image, file = picture(2, 90, 60), tmp_path / ("one.png" if kind == "png" else "one.jpg")
    exif = Image.Exif()
    exif[0x0112] = 6 if kind == "rotated" else 1
    metadata = {"png": {}, "rotated by xmp": {"xmp": XMP_ROTATED}}.get(kind, {"exif": exif})
    save(image.convert({"cmyk": "CMYK", "gray": "L"}.get(kind, "RGB")), file, **metadata)
    whole = Crop(math.sqrt(1.0), 1.0, 0.0, 0.0)
    preprocess = Preprocess(size=32, channels=1, mean=(0.5,), std=(0.5,)) if kind == "to gray" else SMALL
    ours, pillow = (decode_crop(file, preprocess, whole, each).pixels for each in (decoder, "pillow"))
    assert np.abs(ours.astype(int) - pillow).mean() < (6 if decoder == "fast" and kind == "gray" else 1e-9)


def test_a_large_jpeg_is_decoded_at_a_lower_resolution_only_where_the_crop_allows_it(tmp_path):
    image = picture(3, 1600, 1200)
    file = save(image, tmp_path / "large.jpg", quality=95)
    buffer = io.BytesIO()
    Image.open(file).save(buffer, "PNG")
    (tmp_path / "large.png").write_bytes(buffer.getvalue())
    for crop in (Crop(1.0, 1.0, 0.0, 0.0), Crop(0.3, 1.1, -0.5, 0.7)):
        lossy, full = (
            decode_crop(tmp_path / f"large.{suffix}", SMALL, crop, "pillow").pixels
            for suffix in ("jpg", "png")
        )
        assert np.abs(lossy.astype(int) - full).max() <= 4


@pytest.mark.parametrize("decoder", DECODERS)
def test_the_smallest_images_are_cropped_too(tmp_path, decoder):
    file = save(picture(4, 2, 1), tmp_path / "tiny.jpg")
    for crop in [*crops(20), Crop(0.3, 1.0, 1.0, 1.0), Crop(0.3, 1.0, -1.0, -1.0)]:
        assert decode_crop(file, SMALL, crop, decoder).pixels.shape == (3, 32, 32)
