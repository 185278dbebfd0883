"""A trial is made once, kept, gone on with, and refused where its recipe has changed."""

from dataclasses import replace

import pytest
import torch

from verydeep.architecture.architecture import Architecture
from verydeep.data import synthetic
from verydeep.data.builtin import load_dataset
from verydeep.data.images import Dataset
from verydeep.errors import RecipeError
from verydeep.evaluate.gradient_norms import gradient_norms
from verydeep.models.build import build
from verydeep.study.run_study import run_trials
from verydeep.study.run_trial import kept_outcome, measure, trial_data
from verydeep.study.trial import Trial
from verydeep.train.optimizer import OptimizerConfig
from verydeep.train.recipe import Recipe

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


def test_a_trial_is_made_once(tmp_path):
    first = measure(TRIAL, DATA, tmp_path, "cpu")
    assert 0 <= first.test_top1 <= 1 and len(first.epochs) == 2 and first.failed is None
    assert first.parameters == sum(
        p.numel()
        for p in build(
            Architecture.from_string(first.architecture_string, norm="batch", input=(1, 16, 16), classes=3)
        ).parameters()
    )
    assert measure(TRIAL, DATA, tmp_path, "cpu") == first  # the seconds too: it was read, not made
    assert kept_outcome(TRIAL, tmp_path) == first


def test_another_recipe_in_its_place_is_refused(tmp_path):
    measure(TRIAL, DATA, tmp_path, "cpu")
    with pytest.raises(RecipeError, match="made by another recipe"):
        kept_outcome(replace(TRIAL, recipe=replace(RECIPE, epochs=3)), tmp_path)


def test_training_that_diverges_is_an_outcome(tmp_path):
    wild = replace(RECIPE, norm="none", optimizer=OptimizerConfig(lr=1e9))
    outcome = measure(Trial(variant="wild", recipe=wild), DATA, tmp_path, "cpu")
    assert outcome.test_top1 is None
    assert "the loss of" in outcome.failed


def test_what_should_grow_from_a_failure_is_an_outcome_too(tmp_path):
    donor = Trial(variant="donor", recipe=replace(RECIPE, norm="none", optimizer=OptimizerConfig(lr=1e9)))
    measure(donor, DATA, tmp_path, "cpu")
    grown = measure(replace(TRIAL, variant="grown", grows_from=donor), DATA, tmp_path, "cpu")
    assert grown.failed == "the network it was to grow from did not learn"


def test_what_grows_begins_with_the_donors_layers(tmp_path):
    donor = Trial(variant="donor", recipe=replace(RECIPE, epochs=10))
    measure(donor, DATA, tmp_path, "cpu")
    still = replace(RECIPE, epochs=1, optimizer=OptimizerConfig(lr=1e-9))
    grown = measure(Trial(variant="grown", recipe=still, grows_from=donor), DATA, tmp_path, "cpu")
    alone = measure(Trial(variant="alone", recipe=still), DATA, tmp_path, "cpu")
    assert grown.epochs[0].train_top1 > alone.epochs[0].train_top1 + 0.2


def test_a_probe_sees_every_layer_at_every_step(tmp_path):
    probe = Trial(variant="probe", kind="probe", images=20 * 50, recipe=replace(RECIPE, epochs=1))
    data = Dataset("shapes", synthetic.shapes(1000, size=16, classes=3, seed=1), DATA.test)
    outcome = measure(probe, data, tmp_path, "cpu")
    assert [(look.step, look.layer) for look in outcome.gradients] == [
        (step, layer) for step in (0, 10, 50) for layer in ("conv1_1", "conv2_1", "fc3", "fc4")
    ]
    assert all(look.norm > 0 for look in outcome.gradients)


def test_the_norm_of_a_gradient_is_what_autograd_says():
    torch.manual_seed(0)
    model = build(Architecture.from_string("4 | gap", input=(1, 8, 8), classes=3)).train()
    images, labels = torch.randn(5, 1, 8, 8), torch.tensor([0, 1, 2, 0, 1])
    before = {name: value.clone() for name, value in model.state_dict().items()}
    norms = gradient_norms(model, images, labels)
    torch.nn.functional.cross_entropy(model(images), labels).backward()
    expected = [p.grad.norm().item() for p in model.parameters() if p.ndim > 1]
    assert norms == pytest.approx(expected, rel=1e-5)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())


def test_all_trials_see_the_same_images_and_a_split_keeps_them_apart():
    part = trial_data(replace(TRIAL, images=100), DATA)
    again = trial_data(replace(TRIAL, images=100, recipe=replace(RECIPE, seed=7)), DATA)
    assert torch.equal(part.train.pixels, again.train.pixels) and len(part.train) == 100
    halves = trial_data(replace(TRIAL, images=100, split=3), DATA)
    assert (len(halves.train), len(halves.test)) == (80, 20)
    everything = {image.numpy().tobytes() for image in part.train.pixels}
    assert {
        image.numpy().tobytes() for image in torch.cat([halves.train.pixels, halves.test.pixels])
    } == everything


@pytest.mark.slow
def test_workers_make_what_is_missing_and_hand_out_what_is_there(tmp_path):
    recipe = replace(RECIPE, epochs=1, model="4 M | gap")
    donor = Trial(variant="donor", recipe=recipe, images=100)
    grown = Trial(variant="grown", recipe=recipe, images=100, grows_from=donor)
    (made,) = run_trials([donor], "synthetic", tmp_path, workers=1, device="cpu")
    both = list(run_trials([grown, donor], "synthetic", tmp_path, workers=2, device="cpu"))
    assert [outcome.name for outcome in both] == [donor.name, grown.name]
    assert both[0] == made
    alone = measure(replace(donor, variant="alone"), load_dataset("synthetic"), tmp_path, "cpu")
    assert alone.test_top1 == made.test_top1  # the number of workers changes nothing
