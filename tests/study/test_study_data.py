"""The images of a study: a built-in data set, or your own, of which the test images are balanced."""

from dataclasses import replace

import pytest

from verydeep.errors import DataError
from verydeep.study.experiments import transfer
from verydeep.study.run_trial import run_trial
from verydeep.study.study_data import SIZE, StudyData
from verydeep.study.trial import Trial
from verydeep.train.recipe import Recipe

from ..train.folders import write_folder

PHOTO = "photo_[0-9]+"


def test_own_images_are_tested_on_equally_many_of_each_class_and_groups_stay_together(tmp_path):
    write_folder(tmp_path / "cells", (12, 60), per_photo=2)
    data = StudyData(str(tmp_path / "cells"), PHOTO)
    dataset, notes = data.load()
    assert notes == () and dataset.name == f"{tmp_path / 'cells'}, grouped by {PHOTO}"
    assert dataset.train.image_shape == (3, SIZE, SIZE)
    assert dataset.test.labels.bincount().tolist() == [6, 6]
    assert dataset.train.labels.bincount().tolist() == [6, 30]
    again, _ = data.load()  # as each worker process does
    assert again.test.pixels.equal(dataset.test.pixels) and again.train.pixels.equal(dataset.train.pixels)


def test_an_image_that_cannot_be_read_is_named(tmp_path):
    write_folder(tmp_path / "cells", (30, 30))
    broken = next((tmp_path / "cells").rglob("*.png"))
    broken.write_bytes(b"no image")
    dataset, notes = StudyData(str(tmp_path / "cells")).load()
    assert any("1 of 60" in note for note in notes)
    assert len(dataset.train) + len(dataset.test) <= 59


@pytest.mark.parametrize("location", ["fashion-mnits", "folder/that/is/missing"])
def test_data_that_is_not_there_is_refused(location):
    with pytest.raises(DataError, match=location):
        StudyData(location).load()


def test_a_built_in_data_set_has_no_groups():
    with pytest.raises(DataError, match="--group-by is for your own images"):
        StudyData("synthetic", PHOTO)


def test_transfer_needs_some_images_of_each_class(tmp_path):
    write_folder(tmp_path / "cells", (8, 60))
    dataset, _ = StudyData(str(tmp_path / "cells")).load()
    with pytest.raises(DataError, match="has 4 training images, and transfer needs 5"):
        transfer.STUDY.with_weights("vgg16", dataset)


def test_transfer_has_published_weights_and_at_most_as_many_images_as_the_smallest_class(tmp_path):
    write_folder(tmp_path / "cells", (44, 60))
    dataset, _ = StudyData(str(tmp_path / "cells")).load()
    source = Trial(variant="source", recipe=Recipe(model="4 M 4 M 4 M 4 M | gap", size=SIZE, epochs=1))
    run_trial(source, dataset, tmp_path, "cpu")
    study = transfer.STUDY.with_weights(str(tmp_path / source.name), dataset)
    assert list(dict.fromkeys(trial.group for trial in study.trials(True))) == [
        "5 images a class", "10 images a class", "20 images a class", "all images a class",
    ]  # fmt: skip
    probe, tuned, scratch = study.trials(False)[:3]
    assert tuned.recipe.epochs == 200 and probe.classes is scratch.classes is None
    for trial in (probe, tuned):
        short = replace(trial, recipe=replace(trial.recipe, epochs=1))
        outcome = run_trial(short, dataset, tmp_path, "cpu")
        assert outcome.failed is None and outcome.train_images == 10
        assert outcome.architecture_string == "4 M 4 M 4 M 4 M | gap"
