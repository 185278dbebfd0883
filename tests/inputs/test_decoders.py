"""The rule for what decodes training images."""

import pytest

from tests.data.pictures import picture, save
from verydeep.architecture.preprocess import IMAGENET
from verydeep.data.images_on_disk import ImagesOnDisk
from verydeep.data.synthetic import shapes
from verydeep.decoding.processes import are_available
from verydeep.image_sources.huggingface import TableImage
from verydeep.image_sources.open_images import read_samples
from verydeep.inputs import decoders
from verydeep.inputs.decoders import cores_of_rank, decoding_processes
from verydeep.machine import usable_cores


def on_disk(folder, count, **changes):
    for number in range(2):
        save(picture(number, 20, 20), folder / "ab"[number] / "image.png")
    samples = read_samples(folder)
    values = {
        "sources": (samples.sources * count)[:count], "labels": samples.labels.repeat(count)[:count],
        "classes": samples.classes, "preprocess": IMAGENET,
    }  # fmt: skip
    return ImagesOnDisk(**values | changes)


@pytest.mark.skipif(not are_available(), reason="needs anonymous files in memory (Linux)")
def test_processes_decode_many_images_on_many_cores(tmp_path):
    with decoding_processes(on_disk(tmp_path, 2_000), 4) as processes:
        assert processes.count == 4
    with decoding_processes(on_disk(tmp_path, 2_000), 200) as processes:
        assert processes.count == 32


@pytest.mark.parametrize(("count", "cores"), [(1_999, 64), (2_000, 3)])
def test_threads_decode_few_images_or_on_few_cores(tmp_path, count, cores):
    with decoding_processes(on_disk(tmp_path, count), cores) as processes:
        assert processes is None


def test_threads_decode_where_no_process_can(tmp_path, monkeypatch):
    table = on_disk(tmp_path, 2_000, sources=(TableImage(None, "table", 0),) * 2_000)
    with decoding_processes(table, 16) as processes:
        assert processes is None
    with decoding_processes(shapes(2), 16) as processes:  # in memory
        assert processes is None
    monkeypatch.setattr(decoders, "are_available", lambda: False)  # as on Windows
    with decoding_processes(on_disk(tmp_path, 2_000), 16) as processes:
        assert processes is None


def test_ranks_on_a_host_share_its_cores(monkeypatch):
    assert cores_of_rank() == usable_cores()
    monkeypatch.setattr(decoders, "usable_cores", lambda: 16)
    for ranks, cores in ((2, 8), (5, 3), (32, 1)):
        monkeypatch.setattr(decoders, "local_world_size", lambda ranks=ranks: ranks)
        assert cores_of_rank() == cores
