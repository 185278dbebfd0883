"""Batches from disk: those from memory where no image is resized, whatever the number of threads."""

import io
import tarfile
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch
from PIL import Image

from tests.data.pictures import picture, save
from verydeep.architecture.preprocess import Preprocess
from verydeep.data.augmentation.config import AugmentConfig
from verydeep.data.images_on_disk import ImagesOnDisk
from verydeep.data.stream import decode_all
from verydeep.decoding import fast_jpeg
from verydeep.decoding.processes import DecodingProcesses
from verydeep.errors import DataError
from verydeep.image_sources.open_images import read_samples
from verydeep.inputs.pixels_in_memory import PixelsInMemory
from verydeep.inputs.share import Share
from verydeep.inputs.streamed_images import StreamedImages
from verydeep.inputs.write_pack import write_pack

CPU, SIZE = torch.device("cpu"), 24
PREPROCESS = Preprocess(size=SIZE, mean=(0.4, 0.5, 0.6), std=(0.2, 0.2, 0.3))
EVERYTHING = AugmentConfig(flip="random", crop=0.4, color=0.2, shift=2, cutout=4, mixup=0.4, cutmix=1.0)
DECODERS = ("pillow", "fast") if fast_jpeg.is_installed() else ("pillow",)
PLAN = torch.randperm(40, generator=torch.Generator().manual_seed(1)).split(12)


def folder_of(path, width=SIZE, height=SIZE, suffix="png"):
    for number in range(40):
        save(picture(number, width, height), path / "ab"[number % 2] / f"{number:02}.{suffix}")
    return path


def packed(folder):
    return write_pack(read_samples(folder), folder.with_suffix(".pack"), 10_000).path


def shard(folder):
    """As a shard of a WebDataset, with the folder as the label."""
    with tarfile.open(folder.with_suffix(".tar"), "w") as archive:
        for file in sorted(folder.rglob("*.*")):
            label = tarfile.TarInfo(f"{file.stem}.cls")
            label.size = 1
            archive.add(file, file.name)
            archive.addfile(label, io.BytesIO(file.parent.name.encode()))
    return folder.with_suffix(".tar")


def on_disk(folder, preprocess=PREPROCESS, decoder="pillow"):
    samples = read_samples(folder)
    return ImagesOnDisk(
        sources=samples.sources, labels=torch.from_numpy(samples.labels), classes=samples.classes,
        preprocess=preprocess, decoder=decoder,
    )  # fmt: skip


def streamed(images, config=EVERYTHING, workers=None, processes=None):
    return StreamedImages(
        images=images, preprocess=PREPROCESS, device=CPU, augment=config, seed=3, workers=workers,
        processes=processes,
    )  # fmt: skip


def batches_of_processes(images, plan, epochs=(0,), config=EVERYTHING, count=2):
    """The batches of some epochs, from the same processes, which have ended after it."""
    with DecodingProcesses(count, images.preprocess, images.decoder) as processes:
        source = streamed(images, config, processes=processes)
        return [batch for epoch in epochs for batch in source.batches(plan, epoch, 0)]


def in_memory(folder, config=EVERYTHING, preprocess=PREPROCESS):
    images, _ = decode_all(read_samples(folder), preprocess)
    return PixelsInMemory(images=images, preprocess=PREPROCESS, device=CPU, augment=config, seed=3)


def same(ours, theirs):
    return all(
        torch.equal(a.inputs, b.inputs) and torch.equal(a.labels, b.labels)
        for a, b in zip(ours, theirs, strict=True)
    )


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("kind", ["png", "jpg", "pack"])
def test_images_that_are_not_resized_give_the_batches_of_memory(tmp_path, workers, decoder, kind):
    folder = folder_of(tmp_path / "images", suffix="jpg" if kind == "jpg" else "png")
    stored = packed(folder) if kind == "pack" else folder
    source = streamed(on_disk(stored, decoder=decoder), workers=workers)
    assert same(source.batches(PLAN, 2, 5), in_memory(folder).batches(PLAN, 2, 5))


def test_scale_jitter_and_the_augmentations_of_imagenet_are_those_of_memory(tmp_path):
    config = AugmentConfig(
        flip="random", scale_jitter=2.0, pca_color=0.1, trivial=True, erasing=0.5, cutmix=1.0, mixup=0.2
    )
    folder = folder_of(tmp_path / "images")
    ours, theirs = streamed(on_disk(folder), config), in_memory(folder, config)
    assert same(ours.batches(PLAN, 1, 0), theirs.batches(PLAN, 1, 0))
    wide = streamed(on_disk(folder_of(tmp_path / "wide", 60, 30)), config)
    first, again = (list(wide.batches(PLAN, 1, 0)) for _ in range(2))
    assert same(first, again)


@pytest.mark.parametrize("decoder", DECODERS)
def test_crops_of_packed_images_are_those_of_their_files(tmp_path, decoder):
    """Of images that were packed at their own size."""
    folder = folder_of(tmp_path / "images", 50, 36)
    ours, theirs = (
        streamed(on_disk(packed(folder), decoder=decoder)),
        streamed(on_disk(folder, decoder="pillow")),
    )
    pairs = zip(ours.batches(PLAN, 0, 0), theirs.batches(PLAN, 0, 0), strict=True)
    for one, other in pairs:
        difference = (one.inputs - other.inputs).abs().mean()
        assert difference == 0 if decoder == "pillow" else difference < 0.2


@pytest.mark.parametrize("config", [None, replace(EVERYTHING, crop=1.0)])
@pytest.mark.parametrize("fit", ["crop", "pad", "squash"])
def test_without_random_crops_all_images_give_the_batches_of_memory(tmp_path, config, fit):
    folder, preprocess = folder_of(tmp_path, 40, 30), PREPROCESS.with_fit(fit)
    source = streamed(on_disk(folder, preprocess), config)
    assert same(source.batches(PLAN, 0, 0), in_memory(folder, config, preprocess).batches(PLAN, 0, 0))


@pytest.mark.parametrize("decoder", DECODERS)
@pytest.mark.parametrize("fit", ["crop", "pad", "squash"])
def test_a_batch_depends_on_seed_epoch_and_step_only(tmp_path, decoder, fit):
    images = on_disk(folder_of(tmp_path, 50, 36, "jpg"), PREPROCESS.with_fit(fit), decoder)
    whole = list(streamed(images, workers=1).batches(PLAN, 1, 0))
    assert same(streamed(images, workers=3).batches(PLAN[2:], 1, 2), whole[2:])
    assert not same(streamed(images).batches(PLAN, 2, 0), whole)


@pytest.mark.parametrize("kind", ["jpg", "tar", "pack"])
@pytest.mark.parametrize("decoder", DECODERS)
def test_processes_give_the_batches_of_threads(tmp_path, kind, decoder):
    folder = folder_of(tmp_path / "images", 50, 36, "jpg")
    images = on_disk({"jpg": folder, "tar": shard(folder), "pack": packed(folder)}[kind], decoder=decoder)
    threads = [batch for epoch in (0, 1) for batch in streamed(images).batches(PLAN, epoch, 0)]
    assert same(batches_of_processes(images, PLAN, (0, 1)), threads)


def test_processes_give_the_images_that_are_evaluated(tmp_path):
    images = on_disk(folder_of(tmp_path, 40, 30), PREPROCESS.with_fit("pad"))
    plan, threads = PLAN[:2], streamed(images, None).batches(PLAN[:2], 0, 0)
    assert same(batches_of_processes(images, plan, config=None, count=3), threads)


def test_shares_make_up_the_whole_batch(tmp_path):
    source = streamed(on_disk(folder_of(tmp_path, 50, 36)))
    whole = list(source.batches(PLAN, 1, 0, Share(slices=4)))
    halves = [source.batches(PLAN, 1, 0, Share(slices=4, ranks=2, rank=rank)) for rank in range(2)]
    for batch, first, second in zip(whole, *halves, strict=True):
        assert torch.equal(batch.inputs, torch.cat([first.inputs, second.inputs]))
        assert torch.equal(batch.labels, torch.cat([first.labels, second.labels]))


def test_few_images_are_read_ahead(tmp_path):
    images = on_disk(folder_of(tmp_path))
    read, plan = [], torch.arange(40).split(2)
    original = ImagesOnDisk.read
    batches = streamed(images).batches(plan, 0, 0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ImagesOnDisk, "read", lambda *item: read.append(item[1]) or original(*item))
        list(islice(batches, 3))
        batches.close()
    assert len(read) <= 2 * 6  # three batches, and two or three that wait


@pytest.mark.parametrize("count", [0, 2])
def test_in_place_of_a_broken_image_stands_the_next_one_of_its_class(tmp_path, count):
    """Whether threads or processes read them."""
    folder = folder_of(tmp_path, 50, 36)
    good = streamed(on_disk(folder))
    (folder / "a" / "06.png").write_bytes((folder / "a" / "06.png").read_bytes()[:300])
    images = on_disk(folder)
    names = [source.name for source in images.sources]
    broken, next_one = names.index("06.png"), names.index("08.png")
    plan = (*PLAN[:1], torch.tensor([broken, 30, broken]))
    expected = (*PLAN[:1], torch.tensor([next_one, 30, next_one]))
    ours = batches_of_processes(images, plan) if count else streamed(images).batches(plan, 0, 0)
    assert same(ours, good.batches(expected, 0, 0))
    assert list(images.unreadable) == [broken]
    assert "06.png cannot be decoded" in images.unreadable[broken].reason


def test_many_broken_images_are_an_error(tmp_path):
    folder = folder_of(tmp_path)
    for number in (3, 5, 7):
        (folder / "b" / f"{number:02}.png").write_bytes(b"no image")
    with pytest.raises(DataError, match="3 of 40 images cannot be read, more than 5%"):
        list(streamed(on_disk(folder)).batches(PLAN, 0, 0))
    with pytest.raises(DataError, match="3 of 40 images cannot be read, more than 5%"):
        batches_of_processes(on_disk(folder), PLAN)
    for file in (folder / "b").iterdir():
        file.write_bytes(b"")
    with pytest.raises(DataError, match=r"no image of the class b can be read: .* is empty"):
        on_disk(folder).read(25)


def test_statistics_are_those_of_all_pixels(tmp_path):
    folder = folder_of(tmp_path)
    pixels = np.stack([np.asarray(Image.open(file)) for file in folder.rglob("*.png")]) / 255
    mean, deviation = on_disk(folder).channel_statistics()
    assert mean == pytest.approx(pixels.mean((0, 1, 2)), abs=1e-12)
    assert deviation == pytest.approx(pixels.std((0, 1, 2)), abs=1e-12)
