"""Which images calibrate and decide: those of the run's own split, or a part of the training images."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from verydeep.compress.images import FLATTERS, PROBE_FLATTERS, read_images
from verydeep.data import synthetic
from verydeep.data.content import content_hashes
from verydeep.data.split import stratified_split
from verydeep.data.split_file import write_split
from verydeep.errors import CompressionError, DataError
from verydeep.image_sources.open_images import read_samples
from verydeep.models.checkpoint import Checkpoint
from verydeep.train.recipe import Recipe, to_toml
from verydeep.weight_files.checkpoint_file import save

from .networks import PREPROCESS, checkpoint


def of_synthetic(**recipe):
    """A network for the images of ``synthetic``, as `train` leaves it."""
    dataset = synthetic.dataset()
    size, channels = dataset.train.pixels.shape[2], dataset.train.pixels.shape[1]
    preprocess = replace(
        PREPROCESS, size=size, channels=channels, mean=(0.5,) * channels, std=(0.5,) * channels
    )
    origin = {"data": "synthetic", "recipe": to_toml(Recipe(model="8 M | gap", **recipe))}
    return Checkpoint(checkpoint("8 M | gap").model, preprocess, dataset.classes, origin), dataset


@pytest.fixture
def folder(tmp_path):
    for name, shade in (("a", 30), ("b", 200)):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for index in range(20):
            pixels = np.full((20, 20, 3), shade + index, dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "photos" / name / f"{index}.png")
    return tmp_path / "photos"


def test_a_run_is_decided_by_its_own_validation_images(tmp_path):
    network, dataset = of_synthetic(validation=0.2, seed=3)
    images = read_images(None, tmp_path, network)
    kept, held_out = stratified_split(dataset.train.labels, 0.2, 3)
    assert torch.equal(images.train.pixels, dataset.train.pixels[kept])
    assert torch.equal(images.val.labels, dataset.train.labels[held_out])
    assert torch.equal(images.test.pixels, dataset.test.pixels)
    assert images.notes == ()


def test_without_validation_images_a_part_of_the_training_images_decides_and_that_is_said(tmp_path):
    network, dataset = of_synthetic()
    images = read_images(None, tmp_path, network)
    assert len(images.train) + len(images.val) == len(dataset.train)
    assert len(images.val) == round(len(dataset.train) / 4)
    assert images.notes == (FLATTERS,)
    assert torch.equal(images.val.pixels, read_images(None, tmp_path, network).val.pixels)
    assert not torch.equal(images.val.pixels, read_images(None, tmp_path, network, seed=1).val.pixels)


def of_photos(tmp_path):
    """A network for the photos of ``folder``, and a run that holds it."""
    network = replace(checkpoint("8 M | gap"), classes=("a", "b"))
    save(network, tmp_path / "run" / "model.safetensors")
    return network, tmp_path / "run"


@pytest.mark.parametrize("name", [".", "model.safetensors"])
def test_own_images_are_split_as_the_run_kept_it(folder, tmp_path, name):
    samples = read_samples(folder)
    parts = ("train", "train", "val", "test") * 10
    network, run = of_photos(tmp_path)
    write_split(replace(samples, parts=parts, groups=tuple(samples.names)), run / "split.csv")
    images = read_images(str(folder), run / name, network)
    assert (len(images.train), len(images.val), len(images.test)) == (20, 10, 10)
    assert images.train.pixels.shape[1:] == (3, 16, 16)
    assert images.train.groups is not None and images.notes == ()
    images.split.write(tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_bytes() == (run / "split.csv").read_bytes()


def test_images_elsewhere_are_split_by_their_content_as_a_tuning_kept_it(folder, tmp_path):
    samples, (network, run) = read_samples(folder), of_photos(tmp_path)
    parts = ("train", "train", "val", "test") * 10
    write_split(replace(samples, parts=parts), run / "split.csv", content_hashes(samples.sources))
    moved = folder.rename(tmp_path / "moved")
    (moved / "a" / "0.png").rename(moved / "a" / "renamed.png")
    Image.new("RGB", (20, 20)).save(moved / "b" / "0.png")  # another image of the same name
    images = read_images(str(moved), run, network)
    assert (len(images.train), len(images.val), len(images.test)) == (19, 10, 10)
    assert images.notes == (
        f"39 of the 40 images of moved are in the split of {run}; the others are not used",
    )  # fmt: skip
    assert len(images.split.content) == 39 and "a/renamed.png" in images.split.samples.names


def test_other_images_of_the_same_names_are_not_those_of_the_run(folder, tmp_path):
    samples, (network, run) = read_samples(folder), of_photos(tmp_path)
    content = [b"of another image"] * len(samples)
    write_split(replace(samples, parts=("train",) * len(samples)), run / "split.csv", content)
    images = read_images(str(folder), run, network)
    assert images.notes[0] == f"none of the 40 images of photos is in the split of {run}"
    assert len(images.test) == 8


@pytest.mark.parametrize("is_place_of_run", [True, False])
def test_images_with_few_names_of_the_run_are_its_own_only_where_it_found_them(
    folder, tmp_path, is_place_of_run
):
    samples, (network, run) = read_samples(folder), of_photos(tmp_path)
    first = samples.select(np.arange(10))
    write_split(replace(first, parts=("train", "val") * 5), run / "split.csv")
    network.origin["data"] = str(folder) if is_place_of_run else "elsewhere"
    images = read_images(str(folder), run, network)
    found = "10 of the 40 images of photos"
    assert images.notes[0].startswith(
        f"{found} are in" if is_place_of_run else f"{found} have names that are"
    )
    assert images.test is None if is_place_of_run else len(images.test) == 8


def test_a_split_beside_a_name_of_weights_is_not_that_of_a_run(folder, tmp_path, monkeypatch):
    samples, (network, _) = read_samples(folder), of_photos(tmp_path)
    monkeypatch.chdir(tmp_path)
    write_split(replace(samples, parts=("test",) * len(samples)), tmp_path / "split.csv")
    assert len(read_images(str(folder), Path("vgg16"), network).test) == 8


def test_another_split_beside_a_checkpoint_is_not_read(folder, tmp_path):
    network, run = of_photos(tmp_path)
    (run / "split.csv").write_text("epoch,loss\n1,0.5\n")
    assert len(read_images(str(folder), run / "model.safetensors", network).test) == 8


def test_a_split_that_is_made_here_is_kept_for_the_result(folder, tmp_path):
    network, run = of_photos(tmp_path)
    made = read_images(str(folder), tmp_path / "weights.pth", network, seed=3)
    made.split.write(run / "split.csv")
    again = read_images(str(folder), run, network, seed=4)
    assert again.notes == ()
    assert all(
        torch.equal(before.pixels, now.pixels)
        for before, now in [(made.train, again.train), (made.val, again.val), (made.test, again.test)]
    )
    other = read_images(str(folder), tmp_path / "weights.pth", network, seed=4)
    assert not torch.equal(made.test.pixels, other.test.pixels)


def test_images_without_a_split_are_divided(folder, tmp_path):
    network = replace(checkpoint("8 M | gap"), classes=("b", "a"))
    images = read_images(str(folder), tmp_path, network)
    assert (len(images.train), len(images.val), len(images.test)) == (24, 8, 8)
    assert "photos has no test part" in images.notes[0] and images.notes[1] == FLATTERS
    is_dark = images.train.pixels.flatten(1).float().mean(1) < 100
    assert torch.equal(images.train.labels == 1, is_dark)  # by the names of the classes


def test_images_without_labels_are_measured_by_agreement(folder, tmp_path):
    images = read_images(str(folder / "a"), tmp_path, checkpoint("8 M | gap"))
    assert (len(images.train), len(images.val), images.test) == (15, 5, None)
    assert images.val.labels is None and "agreement with the original" in images.notes[0]
    assert images.split is None
    (folder / "list.csv").write_text("path\n" + "".join(f"a/{index}.png\n" for index in range(20)))
    listed = read_images(str(folder / "list.csv"), tmp_path, checkpoint("8 M | gap"))
    assert (len(listed.train), len(listed.val), listed.val.labels) == (15, 5, None)


def test_images_whose_labels_cannot_be_read_are_refused(folder, tmp_path):
    """They are labeled: agreement would be another question than the one that was asked."""
    network, _ = of_photos(tmp_path)
    table = folder / "list.csv"
    table.write_text("path,label\na/0.png,a\na/1.png,\nb/0.png,b\n")
    with pytest.raises(DataError, match="line 3 has no label"):
        read_images(str(table), tmp_path, network)
    with pytest.raises(DataError, match="has no column 'species'"):
        read_images(f"{table}:species", tmp_path, network)
    table.write_text("path,label\na/0.png,a\na/0.png,a\n")
    with pytest.raises(DataError, match=r"repeats a/0\.png"):
        read_images(str(table), tmp_path, network)
    (folder / "cells.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(DataError, match=r"cells\.parquet is not a Parquet table"):
        read_images(str(folder / "cells.parquet"), tmp_path, network)
    with pytest.raises(DataError, match="nowhere"):
        read_images(str(tmp_path / "nowhere"), tmp_path, network)


def test_gray_images_of_your_own_fit_a_network_for_gray_images(tmp_path):
    for name, shade in (("a", 30), ("b", 200)):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for index in range(10):
            Image.new("L", (16, 16), shade + index).save(tmp_path / "photos" / name / f"{index}.png")
    preprocess = replace(PREPROCESS, channels=1, mean=(0.5,), std=(0.5,))
    network = replace(checkpoint("8 M | gap"), preprocess=preprocess, classes=("a", "b"))
    images = read_images(str(tmp_path / "photos"), tmp_path, network)
    assert images.train.pixels.shape == (12, 1, 16, 16)
    is_dark = images.train.pixels.flatten(1).float().mean(1) < 100
    assert torch.equal(images.train.labels == 0, is_dark)


def test_a_file_that_cannot_be_read_is_left_out(folder, tmp_path):
    (folder / "a" / "0.png").write_bytes(b"no image")
    network = replace(checkpoint("8 M | gap"), classes=("a", "b"))
    images = read_images(str(folder), tmp_path, network)
    assert len(images.train) + len(images.val) + len(images.test) == 39
    assert any("1 of 40 images cannot be read" in note for note in images.notes)


def test_without_any_images_the_message_names_the_flag(tmp_path):
    network = replace(checkpoint("8 M | gap"), origin={"data": "cells", "strategy": "linear-probe"})
    with pytest.raises(CompressionError, match=r"on 'cells', which is not here\. Give them as --data"):
        read_images(None, tmp_path, network)
    trained = replace(network, origin={"data": str(tmp_path / "cells.csv:species")})
    with pytest.raises(CompressionError, match=r"on '.*cells\.csv:species'\. .*Give them as --data"):
        read_images(None, tmp_path, trained)
    with pytest.raises(CompressionError, match="its training data is not known"):
        read_images(None, tmp_path, replace(network, origin={}))


def test_the_images_of_a_run_are_read_from_where_they_are_however_they_were_named(folder, tmp_path):
    rows = "".join(f"{name}/{index}.png,{name}\n" for name in "ab" for index in range(12))
    (folder / "list.csv").write_text(f"path,kind\n{rows}")
    origin = {"data": f"{folder / 'list.csv'}:kind"}
    images = read_images(None, tmp_path, replace(checkpoint("8 M | gap"), classes=("a", "b"), origin=origin))
    assert len(images.train) + len(images.val) + len(images.test) == 24


def test_your_own_images_are_not_the_built_in_data_set_of_their_name(folder, tmp_path, monkeypatch):
    samples = read_samples(folder)
    write_split(replace(samples, parts=("train",) * len(samples)), tmp_path / "split.csv")
    network = replace(checkpoint("8 M | gap"), classes=("a", "b"), origin={"data": "synthetic"})
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CompressionError, match="on 'synthetic', which is not here"):
        read_images(None, tmp_path, network)
    folder.rename(tmp_path / "synthetic")
    assert read_images(None, tmp_path, network).name == "synthetic"


def test_that_a_linear_probe_was_trained_on_the_validation_images_is_said(folder, tmp_path):
    samples, (network, run) = read_samples(folder), of_photos(tmp_path)
    write_split(replace(samples, parts=("train", "train", "val", "test") * 10), run / "split.csv")
    assert read_images(str(folder), run, network).notes == ()
    probe = replace(network, origin={"strategy": "linear-probe"})
    assert "trained on the validation images too" in read_images(str(folder), run, probe).notes[0]
    write_split(replace(samples, parts=("train", "train", "train", "test") * 10), run / "split.csv")
    assert read_images(str(folder), run, probe).notes == (FLATTERS,)
    assert PROBE_FLATTERS not in read_images(str(folder), tmp_path / "weights.pth", probe).notes


def test_images_of_another_kind_are_refused(folder, tmp_path):
    with pytest.raises(DataError, match="photos has images of a, b; the network's classes are c, d"):
        read_images(str(folder), tmp_path, replace(checkpoint("8 M | gap"), classes=("c", "d")))
    network, dataset = of_synthetic()
    other = 4 - dataset.train.pixels.shape[1]
    preprocess = replace(network.preprocess, channels=other, mean=(0.5,) * other, std=(0.5,) * other)
    with pytest.raises(DataError, match="Give images of its own kind"):
        read_images("synthetic", tmp_path, replace(network, preprocess=preprocess))


def test_too_few_images_are_refused(tmp_path):
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (20, 20)).save(tmp_path / "photos" / "one.png")
    with pytest.raises(CompressionError, match="too few images: 1 to calibrate by and 0 to decide by"):
        read_images(str(tmp_path / "photos"), tmp_path, checkpoint("8 M | gap"))


def test_a_folder_with_test_images_only_is_refused(folder, tmp_path):
    (tmp_path / "tested").mkdir()
    folder.rename(tmp_path / "tested" / "test")
    network = replace(checkpoint("8 M | gap"), classes=("a", "b"))
    with pytest.raises(CompressionError, match="too few images: 0 to calibrate by and 0 to decide by"):
        read_images(str(tmp_path / "tested"), tmp_path, network)
