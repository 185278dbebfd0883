"""The rule for what decodes training images."""

from dataclasses import replace

import pytest
import torch

from tests.data.pictures import picture, save
from verydeep.architecture.preprocess import IMAGENET
from verydeep.data.images_on_disk import ImagesOnDisk
from verydeep.data.synthetic import shapes
from verydeep.decoding.processes import are_available
from verydeep.errors import DataError
from verydeep.image_sources.huggingface import TableImage
from verydeep.image_sources.open_images import read_samples
from verydeep.inputs import decoding_processes as rule
from verydeep.inputs.decoding_processes import VARIABLE, decoding_processes, process_count


def on_disk(folder):
    for name in "ab":
        save(picture(0, 20, 20), folder / name / "image.png")
    samples = read_samples(folder)
    return ImagesOnDisk(
        sources=samples.sources,
        labels=torch.from_numpy(samples.labels),
        classes=samples.classes,
        preprocess=IMAGENET,
    )


@pytest.mark.parametrize(
    ("images", "cores", "count"),
    [(2_000, 4, 4), (5_000_000, 16, 16), (2_000, 200, 32), (1_999, 64, 0), (5_000_000, 3, 0)],
)
def test_processes_decode_many_images_on_many_cores(monkeypatch, images, cores, count):
    monkeypatch.delenv(VARIABLE, raising=False)
    assert process_count(images, cores) == count


def test_the_environment_decides(monkeypatch):
    monkeypatch.setenv(VARIABLE, "3")
    assert process_count(2, 1) == 3
    monkeypatch.setenv(VARIABLE, "0")
    assert process_count(5_000_000, 64) == 0
    for wrong in ("many", "-1", "2.5", "1025", "\u0663"):
        monkeypatch.setenv(VARIABLE, wrong)
        with pytest.raises(DataError, match="give the number of processes, 0 to 1024, or 0 for threads"):
            process_count(2, 1)


def test_threads_decode_where_no_process_can(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "3")
    files = on_disk(tmp_path)
    if are_available():
        with decoding_processes(files) as processes:
            assert processes.count == 3
    table = replace(files, sources=(TableImage(None, "table", 0),) * 2)
    for images in (table, shapes(2)):
        with decoding_processes(images) as processes:
            assert processes is None
    monkeypatch.setattr(rule, "are_available", lambda: False)  # as on Windows
    with decoding_processes(files) as processes:
        assert processes is None
