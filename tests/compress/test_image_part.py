"""Images at the input size of a network: at another size they are read again."""

from dataclasses import replace

import pytest
import torch

from verydeep.compress.image_part import ImagePart, decode_all, read_part
from verydeep.data.normalize import fit_to_input
from verydeep.errors import DataError

from ..data.pictures import picture, save
from .networks import PREPROCESS


@pytest.fixture
def files(tmp_path):
    return [save(picture(seed), tmp_path / f"{seed}.png") for seed in range(5)]


def test_at_another_size_the_files_are_decoded_again(files):
    part, broken = read_part(files, PREPROCESS, torch.arange(5), tuple("abcde"))
    assert not broken and part.at_input_of(PREPROCESS) is part
    larger = replace(PREPROCESS, size=24)
    again = part.at_input_of(larger)
    assert torch.equal(again.pixels, decode_all(files, larger).pixels)
    assert again.labels is part.labels and again.groups == tuple("abcde")


def test_pixels_without_files_are_resized():
    part = ImagePart(torch.randint(0, 256, (3, 3, 16, 16), dtype=torch.uint8), None)
    larger = replace(PREPROCESS, size=24)
    assert torch.equal(part.at_input_of(larger).pixels, fit_to_input(part.pixels, larger))


def test_what_cannot_be_read_is_left_out_with_its_label_and_group(files):
    files[1].write_bytes(b"no image")
    part, broken = read_part(files, PREPROCESS, torch.arange(5), tuple("abcde"))
    assert part.labels.tolist() == [0, 2, 3, 4] and part.groups == tuple("acde")
    assert part.sources == (files[0], *files[2:]) and len(broken) == 1
    larger = replace(PREPROCESS, size=24)
    assert len(part.at_input_of(larger)) == 4


def test_a_file_that_vanished_in_between_is_named(files):
    part, _ = read_part(files, PREPROCESS)
    files[3].unlink()
    with pytest.raises(DataError, match=r"3\.png.*it could be read before\. Run the same command again"):
        part.at_input_of(replace(PREPROCESS, size=24))
