"""Which images a run was trained on, by what it keeps and by what its weights started from."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from verydeep.architecture.architecture import Architecture
from verydeep.architecture.preprocess import Preprocess
from verydeep.data.content import content_hashes
from verydeep.data.split_file import write_split
from verydeep.image_sources.open_images import read_samples
from verydeep.models.build import build
from verydeep.models.checkpoint import Checkpoint
from verydeep.train.start.seen_images import other_weights, trained_runs
from verydeep.weight_files.checkpoint_file import save

from ...data.pictures import picture
from ...data.pictures import save as save_picture

PARTS = ("train", "test", "train", "test")
"""Of cat/1, cat/2, dog/1, dog/2."""


@pytest.fixture
def photos(tmp_path):
    for seed, name in enumerate(("cat/1.png", "cat/2.png", "dog/1.png", "dog/2.png")):
        save_picture(picture(seed, 8, 8), tmp_path / "photos" / name)
    return tmp_path / "photos"


def checkpoint(path, weights=None, **origin):
    """A checkpoint whose recipe has these ``weights``."""
    torch.manual_seed(0)
    model = build(Architecture.from_string("8 M | gap", classes=2, input=(3, 8, 8)))
    recipe = "" if weights is None else f'weights = "{weights}"'
    preprocess = Preprocess(size=8, mean=(0.5,) * 3, std=(0.2,) * 3)
    save(Checkpoint(model, preprocess, ("cat", "dog"), {"recipe": recipe, **origin}), path)
    return path


def trained_run(photos, folder, *, has_content, weights=None):
    """A run on these photos, with its split."""
    folder.mkdir()
    checkpoint(folder / "model.safetensors", weights, data=str(photos))
    samples = replace(read_samples(photos), parts=PARTS)
    write_split(samples, folder / "split.csv", content_hashes(samples.sources) if has_content else None)
    return folder


def seen(run, photos, location=None):
    samples = read_samples(photos)
    (found,) = trained_runs(str(run))
    indices = found.seen(
        samples, np.arange(len(samples)), location or str(photos), lambda: content_hashes(samples.sources)
    )
    return [samples.names[index] for index in indices]


@pytest.mark.parametrize("has_content", [True, False])
def test_images_of_the_training_part_were_seen(photos, tmp_path, has_content):
    run = trained_run(photos, tmp_path / "run", has_content=has_content)
    assert seen(run, photos) == seen(run / "model.safetensors", photos) == ["cat/1.png", "dog/1.png"]
    assert seen(run, photos, f"{photos}/") == ["cat/1.png", "dog/1.png"]
    assert (seen(run, photos, "elsewhere") == []) is not has_content


def test_a_test_image_with_a_copy_in_training_is_not_seen(photos, tmp_path):
    (photos / "dog/2.png").write_bytes((photos / "dog/1.png").read_bytes())
    run = trained_run(photos, tmp_path / "run", has_content=True)
    assert seen(run, photos) == ["cat/1.png"]


def test_other_images_that_took_a_name_are_not_seen(photos, tmp_path):
    run = trained_run(photos, tmp_path / "run", has_content=False)
    for name in ("cat/2.png", "dog/1.png", "dog/2.png"):
        (photos / name).rename((photos / name).with_suffix(".jpg"))
    assert seen(run, photos) == []


def test_runs_that_the_weights_started_from_count(photos, tmp_path):
    first = trained_run(photos, tmp_path / "first", has_content=True)
    second = trained_run(photos, tmp_path / "second", has_content=True, weights=first)
    assert [run.path for run in trained_runs(str(second))] == [second, first]


def test_weights_that_started_from_themselves_end(photos, tmp_path):
    alone = checkpoint(tmp_path / "alone.safetensors", tmp_path / "alone.safetensors")
    assert trained_runs(str(alone)) == ()
    run = trained_run(photos, tmp_path / "run", has_content=True, weights=tmp_path / "run")
    assert [each.path for each in trained_runs(str(run))] == [run]


@pytest.mark.parametrize("weights", ["a" * 300, "\\u0000x", "vgg16", "gone/model.safetensors"])
def test_a_place_that_cannot_be_looked_at_ends_the_search(tmp_path, weights):
    assert trained_runs(str(checkpoint(tmp_path / "model.safetensors", weights))) == ()


def test_a_recipe_that_is_nested_without_end_ends_the_search(tmp_path):
    file = checkpoint(tmp_path / "model.safetensors", recipe=f"a = {'[' * 100_000}")
    assert trained_runs(str(file)) == ()


def test_the_remedy_depends_on_who_chose_the_test_images():
    assert other_weights("--weights", is_split_here=True) == (
        "Give other --weights, or split the images as that run did (--seed, --test, --group-by)"
    )
    assert other_weights("--grow-from", is_split_here=False) == (
        "Give other --grow-from, or take these images out of the test part"
    )
