"""The images of a study: a built-in data set, or your own, of which the test images are balanced."""

import shutil
from dataclasses import replace

import pytest
from PIL import Image

from verydeep.errors import CheckpointError, DataError
from verydeep.study.experiments.transfer_with_weights import transfer_with_weights
from verydeep.study.run_study import run_trials
from verydeep.study.run_trial import run_trial
from verydeep.study.study_data import SIZE, study_images
from verydeep.study.trial import Trial
from verydeep.train.recipe import Recipe

from ..train.folders import write_folder

PHOTO = "photo_[0-9]+"


def test_own_images_are_tested_on_equally_many_of_each_class(tmp_path):
    write_folder(tmp_path / "cells", (12, 60))
    dataset, notes = study_images(str(tmp_path / "cells"))
    assert notes == ("of 36 test images 12 are used, equally many of each class",)
    assert dataset.train.image_shape == (3, SIZE, SIZE)
    assert dataset.test.labels.bincount().tolist() == [6, 6]
    assert dataset.train.labels.bincount().tolist() == [6, 30]


def test_images_of_one_photograph_stay_on_one_side(tmp_path):
    for color, name in enumerate(("one", "two")):
        (tmp_path / "cells" / name).mkdir(parents=True)
        for photo in range(10):
            for number in range(5):  # all of one photograph have its color
                picture = Image.new("RGB", (16, 16), (20 * photo, 200 * color, 0))
                picture.save(tmp_path / "cells" / name / f"photo_{photo}_{number}.png")
    dataset, _ = study_images(str(tmp_path / "cells"), PHOTO)
    colors = [
        {tuple(pixels[:2, 0, 0].tolist()) for pixels in images.pixels}
        for images in (dataset.train, dataset.test)
    ]
    assert not colors[0] & colors[1] and len(colors[0] | colors[1]) == 20


def test_other_images_have_another_name(tmp_path):
    folder = write_folder(tmp_path / "cells", (12, 12))
    names = [study_images(str(folder))[0].name for _ in range(2)]
    next(folder.rglob("*.png")).unlink()
    names.append(study_images(str(folder))[0].name)
    assert names[0] == names[1] != names[2]


def test_an_image_that_cannot_be_read_is_counted(tmp_path):
    write_folder(tmp_path / "cells", (30, 30))
    broken = next((tmp_path / "cells").rglob("*.png"))
    broken.write_bytes(b"no image")
    dataset, notes = study_images(str(tmp_path / "cells"))
    assert any("1 of 60" in note for note in notes)
    assert len(dataset.train) + len(dataset.test) <= 59


def test_a_val_part_is_not_used_and_a_class_without_test_images_is_refused(tmp_path):
    for part in ("train", "val", "test"):
        write_folder(tmp_path / "cells" / part, (6, 6, 6))
    dataset, notes = study_images(str(tmp_path / "cells"))
    assert len(dataset.train) == len(dataset.test) == 18
    assert notes[-1] == "18 val images are not used"
    shutil.rmtree(tmp_path / "cells" / "test" / dataset.classes[0])
    with pytest.raises(DataError, match=f"has no test images of {dataset.classes[0]}"):
        study_images(str(tmp_path / "cells"))


@pytest.mark.parametrize("location", ["fashion-mnits", "folder/that/is/missing"])
def test_data_that_is_not_there_is_refused(location):
    with pytest.raises(DataError, match=location):
        study_images(location)


def test_a_built_in_data_set_has_no_groups():
    with pytest.raises(DataError, match="--group-by is for your own images"):
        study_images("synthetic", PHOTO)


@pytest.fixture
def cells(tmp_path):
    """Images of two classes, of which the rare one has 22 training images."""
    write_folder(tmp_path / "cells", (44, 60))
    return study_images(str(tmp_path / "cells"))[0]


@pytest.fixture
def source(tmp_path, cells):
    """A small trained network."""
    trial = Trial(variant="source", recipe=Recipe(model="4 M 4 M 4 M | gap", size=SIZE, epochs=1))
    run_trial(trial, cells, tmp_path, "cpu")
    return str(tmp_path / trial.name)


def test_transfer_has_published_weights_and_at_most_as_many_images_as_the_smallest_class(
    tmp_path, cells, source
):
    study = transfer_with_weights(source, cells, None)
    assert list(dict.fromkeys(trial.group for trial in study.trials(True))) == [
        "5 images a class", "10 images a class", "20 images a class", "all images a class",
    ]  # fmt: skip
    probe, tuned, scratch = study.trials(False)[:3]
    assert (tuned.recipe.epochs, tuned.recipe.freeze) == (200, 1)
    assert "the first 1 stages frozen" in study.protocol
    assert probe.classes is scratch.classes is None
    short = [replace(trial, recipe=replace(trial.recipe, epochs=1)) for trial in (probe, tuned)]
    outcomes = list(run_trials(short, cells, tmp_path / "runs", workers=1, device="cpu"))
    for outcome in outcomes:
        assert outcome.failed is None and outcome.train_images == 10
        assert outcome.architecture_string == "4 M 4 M 4 M | gap"
    again = list(run_trials(short, cells, tmp_path / "runs", workers=1, device="cpu"))
    assert again == outcomes  # the seconds too: they were read


def test_fine_tuning_that_does_not_learn_has_the_network_of_the_weights(tmp_path, cells, source):
    _, tuned, _ = transfer_with_weights(source, cells, None).trials(False)[:3]
    wild = replace(tuned.recipe, epochs=30, optimizer=replace(tuned.recipe.optimizer, name="sgd", lr=1e30))
    outcome = run_trial(replace(tuned, recipe=wild), cells, tmp_path, "cpu")
    assert outcome.failed is not None and outcome.architecture_string == "4 M 4 M 4 M | gap"


def test_transfer_needs_some_images_of_each_class_and_weights_that_are_there(tmp_path, cells):
    few, _ = study_images(str(write_folder(tmp_path / "few", (8, 60))))
    with pytest.raises(DataError, match="has 4 training images, and transfer needs 5"):
        transfer_with_weights("vgg16", few, None)
    with pytest.raises(CheckpointError, match="no-such-file"):
        transfer_with_weights("folder/no-such-file.pth", cells, None)
