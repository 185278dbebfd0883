"""A trial runs once and is saved; another recipe in its folder is an error."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from verydeep.architecture.architecture import Architecture
from verydeep.data import synthetic
from verydeep.data.builtin import load_dataset
from verydeep.data.images import Dataset
from verydeep.errors import RecipeError
from verydeep.evaluate.gradient_norms import gradient_norms
from verydeep.models.build import build
from verydeep.study.run_study import run_trials
from verydeep.study.run_trial import run_trial, saved_outcome
from verydeep.study.trial import Trial
from verydeep.study.trial_data import trial_data
from verydeep.train.optimizer.config import OptimizerConfig
from verydeep.train.recipe import Recipe
from verydeep.train.run_folder import RunFolder
from verydeep.train.train import resume_training

DATA = Dataset(
    "shapes",
    synthetic.shapes(300, size=16, classes=3, seed=1),
    synthetic.shapes(60, size=16, classes=3, seed=2),
)
RECIPE = Recipe(
    model="8 M 16 M | gap 16", norm="batch", epochs=2, batch_size=20, precision="fp32",
    optimizer=OptimizerConfig(lr=0.05),
)  # fmt: skip
TRIAL = Trial(variant="small", recipe=RECIPE)


def test_a_trial_runs_once(tmp_path):
    first = run_trial(TRIAL, DATA, tmp_path, "cpu")
    assert 0 <= first.test_top1 <= 1 and 0 <= first.train_top1 <= 1 and first.failed is None
    assert len(first.epochs) == 2 and first.train_images == 300
    assert first.parameters == sum(
        p.numel()
        for p in build(
            Architecture.from_string(first.architecture_string, norm="batch", input=(1, 16, 16), classes=3)
        ).parameters()
    )
    assert run_trial(TRIAL, DATA, tmp_path, "cpu") == first  # the seconds too: it was read, not repeated
    assert saved_outcome(TRIAL, DATA.name, tmp_path) == first


def test_a_trial_that_is_stopped_at_its_very_end_is_finished(tmp_path, monkeypatch):
    """Between the end of the training and the file of its outcome."""

    class Stopped(BaseException):
        """In place of a signal."""

    def stop(*_):
        raise Stopped

    with monkeypatch.context() as patch:
        patch.setattr("verydeep.study.run_trial.top1", stop)
        with pytest.raises(Stopped):
            run_trial(TRIAL, DATA, tmp_path, "cpu")
    finished = run_trial(TRIAL, DATA, tmp_path, "cpu")
    assert finished.failed is None and len(finished.epochs) == 2


def test_the_seconds_before_an_interruption_count(tmp_path, monkeypatch):
    def finish(data, run, *, report, **_):
        report(replace(resume_training(data, run), seconds=1234.5))

    with monkeypatch.context() as patch:
        patch.setattr("verydeep.study.run_trial.top1", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run_trial(TRIAL, DATA, tmp_path, "cpu")
    monkeypatch.setattr("verydeep.study.run_trial.resume_training", finish)
    assert run_trial(TRIAL, DATA, tmp_path, "cpu").seconds == 1234.5


def test_a_run_that_is_stopped_after_its_outcome_is_finished(tmp_path, monkeypatch):
    class Stopped(BaseException):
        """In place of a signal."""

    def stop(_):
        raise Stopped

    with monkeypatch.context() as patch:
        patch.setattr("verydeep.train.train.finish", stop)
        with pytest.raises(Stopped):
            run_trial(TRIAL, DATA, tmp_path, "cpu")
    run = RunFolder(tmp_path / TRIAL.name)
    assert run.is_unfinished
    assert run_trial(TRIAL, DATA, tmp_path, "cpu").failed is None and not run.is_unfinished


def test_a_trial_on_images_in_a_folder_that_is_not_utf_8_is_saved_and_read(tmp_path):
    data = replace(DATA, name="photos-\udcb0 (123)")
    first = run_trial(TRIAL, data, tmp_path, "cpu")
    assert run_trial(TRIAL, data, tmp_path, "cpu") == first


def test_a_training_that_did_not_learn_is_finished(tmp_path):
    diverging = replace(TRIAL, recipe=replace(TRIAL.recipe, optimizer=OptimizerConfig(lr=1e30)))
    assert run_trial(diverging, DATA, tmp_path, "cpu").failed is not None
    assert not RunFolder(tmp_path / TRIAL.name).is_unfinished


def test_a_damaged_outcome_is_one_line(tmp_path):
    run_trial(TRIAL, DATA, tmp_path, "cpu")
    (tmp_path / TRIAL.name / "outcome.json").write_text('{"recipe": ')
    with pytest.raises(RecipeError, match=r"outcome\.json is damaged: .*Delete its folder"):
        saved_outcome(TRIAL, DATA.name, tmp_path)


def test_another_recipe_in_the_same_folder_is_an_error(tmp_path):
    run_trial(TRIAL, DATA, tmp_path, "cpu")
    with pytest.raises(RecipeError, match="trained with another recipe"):
        saved_outcome(replace(TRIAL, recipe=replace(RECIPE, epochs=3)), DATA.name, tmp_path)


@pytest.mark.parametrize("kind", ["training", "probe"])
def test_a_trial_has_images_of_the_size_of_its_recipe(tmp_path, kind):
    deep = replace(RECIPE, model="4 M 4 M 4 M 4 M 4 M | gap 8", size=32, epochs=1)  # too deep for 16 px
    outcome = run_trial(Trial(variant="large images", recipe=deep, kind=kind), DATA, tmp_path, "cpu")
    assert outcome.failed is None
    assert outcome.parameters == sum(
        p.numel()
        for p in build(
            Architecture.from_string(deep.model, norm="batch", input=(1, 32, 32), classes=3)
        ).parameters()
    )


def test_other_images_in_the_same_folder_are_an_error(tmp_path):
    run_trial(TRIAL, DATA, tmp_path, "cpu")
    for trial, data in [(TRIAL, "cifar10"), (replace(TRIAL, images=100), DATA.name)]:
        with pytest.raises(RecipeError, match="was trained on other images"):
            saved_outcome(trial, data, tmp_path)


def test_a_folder_that_was_moved_is_continued(tmp_path):
    source = Trial(variant="source", recipe=RECIPE)
    tuned = Trial(variant="tuned", kind="fine-tuning", initialized_from=source, recipe=RECIPE)
    first = [run_trial(trial, DATA, tmp_path / "old", "cpu") for trial in (source, tuned)]
    (tmp_path / "old").rename(tmp_path / "new")
    assert [saved_outcome(trial, DATA.name, tmp_path / "new") for trial in (source, tuned)] == first


def test_training_that_diverges_is_an_outcome(tmp_path):
    diverging = replace(RECIPE, norm="none", optimizer=OptimizerConfig(lr=1e9))
    outcome = run_trial(Trial(variant="diverging", recipe=diverging), DATA, tmp_path, "cpu")
    assert outcome.test_top1 is None
    assert "the loss of" in outcome.failed


def test_initialization_from_a_failed_trial_is_an_outcome(tmp_path):
    failing = replace(RECIPE, norm="none", optimizer=OptimizerConfig(lr=1e9))
    source = Trial(variant="source", recipe=failing)
    run_trial(source, DATA, tmp_path, "cpu")
    outcome = run_trial(replace(TRIAL, variant="deep", initialized_from=source), DATA, tmp_path, "cpu")
    assert outcome.failed == "the network that initializes it did not learn"


@pytest.mark.slow
def test_initialization_from_a_trained_trial_gives_a_higher_accuracy(tmp_path):
    source = Trial(variant="source", recipe=replace(RECIPE, epochs=10))
    run_trial(source, DATA, tmp_path, "cpu")
    constant = replace(RECIPE, epochs=1, optimizer=OptimizerConfig(lr=1e-9))
    initialized = Trial(variant="initialized", recipe=constant, initialized_from=source)
    first = run_trial(initialized, DATA, tmp_path, "cpu").epochs[0]
    random = run_trial(Trial(variant="random", recipe=constant), DATA, tmp_path, "cpu").epochs[0]
    assert first.train_top1 > random.train_top1 + 0.2


def test_a_linear_probe_keeps_the_layers_of_the_network_that_it_is_made_from(tmp_path):
    recipe = replace(RECIPE, model="8 M 16 M | gap")
    source = Trial(variant="source", recipe=recipe)
    probe = Trial(
        variant="probe", kind="fine-tuning", initialized_from=source, classes=("circle", "triangle"),
        images=40, images_seed=3, recipe=replace(recipe, freeze="all", epochs=1),
    )  # fmt: skip
    run_trial(source, DATA, tmp_path, "cpu")
    outcome = run_trial(probe, DATA, tmp_path, "cpu")
    assert outcome.failed is None and outcome.test_top1 is not None and outcome.train_top1 is not None
    trained, kept = (load_file(tmp_path / name / "model.safetensors") for name in (source.name, probe.name))
    assert torch.equal(trained["features.0.weight"], kept["features.0.weight"])
    failed = replace(probe, variant="failed", initialized_from=replace(source, variant="never trained"))
    without = run_trial(failed, DATA, tmp_path, "cpu")
    assert without.failed == "the network that initializes it did not learn"
    assert without.parameters == outcome.parameters


def test_some_classes_are_numbered_from_0_and_a_missing_one_is_named():
    two = trial_data(replace(TRIAL, classes=(DATA.classes[2], DATA.classes[0])), DATA)
    assert two.classes == (DATA.classes[2], DATA.classes[0])
    of_first = DATA.train.pixels[DATA.train.labels == 2]
    assert torch.equal(two.train.pixels[two.train.labels == 0], of_first)
    assert len(two.train) == int((DATA.train.labels != 1).sum())
    with pytest.raises(RecipeError, match="needs the class 'Bag'"):
        trial_data(replace(TRIAL, classes=("Bag",)), DATA)


def test_another_seed_selects_other_images():
    first, second = (trial_data(replace(TRIAL, images=100, images_seed=seed), DATA) for seed in (0, 1))
    assert not torch.equal(first.train.pixels, second.train.pixels)
    assert first.name != second.name  # an unfinished run of one is not resumed on the other


def test_so_many_images_of_each_class_and_no_more_than_there_are():
    few = trial_data(replace(TRIAL, images_per_class=7), DATA)
    assert few.train.labels.bincount().tolist() == [7, 7, 7] and len(few.test) == len(DATA.test)
    other = trial_data(replace(TRIAL, images_per_class=7, images_seed=1), DATA)
    assert not torch.equal(few.train.pixels, other.train.pixels) and few.name != other.name
    every = trial_data(replace(TRIAL, images_per_class=1000), DATA)
    assert torch.equal(every.train.pixels, DATA.train.pixels)


def test_published_weights_are_not_replaced_by_others_in_the_same_folder(tmp_path):
    source = Trial(variant="source", recipe=replace(RECIPE, epochs=1))
    run_trial(source, DATA, tmp_path, "cpu")
    recipe = replace(
        RECIPE, model=None, norm=None, weights=str(tmp_path / source.name), freeze="all", epochs=1
    )
    probe = Trial(variant="linear probe", kind="fine-tuning", recipe=recipe)
    outcome = run_trial(probe, DATA, tmp_path, "cpu")
    assert outcome.failed is None and outcome.architecture_string == "8 M 16 M | gap"
    with pytest.raises(RecipeError, match="trained with another recipe"):
        run_trial(replace(probe, recipe=replace(recipe, weights="vgg16")), DATA, tmp_path, "cpu")


def test_a_probe_measures_every_layer_at_every_step(tmp_path):
    probe = Trial(variant="probe", kind="probe", images=20 * 50, recipe=replace(RECIPE, epochs=1))
    data = Dataset("shapes", synthetic.shapes(1000, size=16, classes=3, seed=1), DATA.test)
    gradients = run_trial(probe, data, tmp_path, "cpu").gradients
    assert [(gradient.step, gradient.layer) for gradient in gradients] == [
        (step, layer) for step in (0, 10, 50) for layer in ("conv1_1", "conv2_1", "fc3", "fc4")
    ]
    assert all(gradient.norm > 0 for gradient in gradients)


def test_gradient_norms_are_those_of_autograd():
    torch.manual_seed(0)
    model = build(Architecture.from_string("4 | gap", input=(1, 8, 8), classes=3)).train()
    images, labels = torch.randn(5, 1, 8, 8), torch.tensor([0, 1, 2, 0, 1])
    before = {name: value.clone() for name, value in model.state_dict().items()}
    norms = gradient_norms(model, images, labels)
    torch.nn.functional.cross_entropy(model(images), labels).backward()
    expected = [p.grad.norm().item() for p in model.parameters() if p.ndim > 1]
    assert norms == pytest.approx(expected, rel=1e-5)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_all_trials_have_the_same_images_and_a_split_separates_train_and_test():
    subset = trial_data(replace(TRIAL, images=100), DATA)
    other = trial_data(replace(TRIAL, images=100, recipe=replace(RECIPE, seed=7)), DATA)
    assert torch.equal(subset.train.pixels, other.train.pixels) and len(subset.train) == 100
    split = trial_data(replace(TRIAL, images=100, split=3), DATA)
    assert (len(split.train), len(split.test)) == (80, 20)
    images = {image.numpy().tobytes() for image in torch.cat([split.train.pixels, split.test.pixels])}
    assert images == {image.numpy().tobytes() for image in subset.train.pixels}


@pytest.mark.slow
def test_workers_run_missing_trials_and_read_finished_ones(tmp_path):
    recipe = replace(RECIPE, epochs=1, model="4 M | gap")
    source = Trial(variant="source", recipe=recipe, images=100)
    initialized = Trial(variant="initialized", recipe=recipe, images=100, initialized_from=source)
    (first,) = run_trials([source], load_dataset("synthetic"), tmp_path, workers=1, device="cpu")
    both = list(
        run_trials([initialized, source], load_dataset("synthetic"), tmp_path, workers=2, device="cpu")
    )
    assert [outcome.name for outcome in both] == [source.name, initialized.name]
    assert both[0] == first
    alone = run_trial(replace(source, variant="alone"), load_dataset("synthetic"), tmp_path, "cpu")
    assert alone.test_top1 == first.test_top1  # the number of workers changes nothing
