"""Steps of a compression: what they leave of the weights, and that zeros stay zero."""

from dataclasses import replace

import pytest
import torch

from verydeep.compress.layer_inputs import weighted_layers
from verydeep.data import synthetic
from verydeep.data.images import Dataset
from verydeep.study.run_compression import fine_tuned, nonzero_share, pruned
from verydeep.study.run_trial import run_trial
from verydeep.study.trial import CompressionSteps, Trial
from verydeep.train.optimizer.config import OptimizerConfig
from verydeep.train.optimizer.schedule import ScheduleConfig
from verydeep.train.prepare import with_validation
from verydeep.train.recipe import Recipe
from verydeep.weight_files.checkpoint_file import load

DATA = Dataset(
    "shapes",
    synthetic.shapes(300, size=16, classes=3, seed=1),
    synthetic.shapes(60, size=16, classes=3, seed=2),
)
RECIPE = Recipe(
    model="8 M 16 M | gap 16", norm="batch", epochs=4, batch_size=20, precision="fp32", validation=0.2,
    optimizer=OptimizerConfig(lr=0.05),
)  # fmt: skip
FINE_TUNING = replace(
    RECIPE,
    epochs=1,
    optimizer=OptimizerConfig(name="adamw", lr=2e-3, weight_decay=0.0),
    schedule=ScheduleConfig(name="one-cycle"),
)
ORIGINAL = Trial(variant="original", recipe=RECIPE)


def compression(variant, source=ORIGINAL, **steps):
    return Trial(
        variant=variant,
        recipe=FINE_TUNING,
        kind="compression",
        initialized_from=source,
        steps=CompressionSteps(**steps),
    )


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The folder of the study, with a trained original."""
    folder = tmp_path_factory.mktemp("study")
    run_trial(ORIGINAL, DATA, folder, "cpu")
    return folder


def test_folding_alone_changes_no_prediction(runs):
    folded = run_trial(compression("folded"), DATA, runs, "cpu")
    assert folded.test_top1 == run_trial(ORIGINAL, DATA, runs, "cpu").test_top1
    assert folded.compressed.nonzero == 1
    assert folded.compressed.bytes == (runs / "folded-seed-0" / "model.safetensors").stat().st_size


def test_pruning_keeps_the_largest_weights_of_the_whole_network(runs):
    network = load(runs / ORIGINAL.name)
    kept = pruned(network, 0.25)
    weights = [layer.weight.detach().abs().flatten() for layer in weighted_layers(network.model).values()]
    masks = [(layer.weight != 0).flatten() for layer in weighted_layers(kept.model).values()]
    magnitudes, mask = torch.cat(weights), torch.cat(masks)
    assert mask.sum() == round(0.25 * len(mask))
    assert magnitudes[mask].min() >= magnitudes[~mask].max()
    assert nonzero_share(network.model) == 1  # it is not changed


def test_zeros_stay_zero_in_fine_tuning_and_the_other_weights_are_trained(runs):
    network = pruned(load(runs / ORIGINAL.name), 0.5)
    trained, epochs = fine_tuned(network, FINE_TUNING, with_validation(DATA, FINE_TUNING), "cpu")
    before, after = (weighted_layers(each.model) for each in (network, trained))
    assert len(epochs) == 1 and trained.model.state_dict().keys() == network.model.state_dict().keys()
    for name, layer in before.items():
        assert torch.equal(layer.weight == 0, after[name].weight == 0)
        assert not torch.equal(layer.weight, after[name].weight)


def test_a_compressed_network_is_quantized_further(runs):
    first = compression("pruned", keep=0.25, training="labels")
    outcome = run_trial(first, DATA, runs, "cpu")
    smaller = run_trial(compression("pruned, 4 bits", first, bits=4), DATA, runs, "cpu")
    assert outcome.compressed.nonzero == pytest.approx(0.25, abs=0.001) and len(outcome.epochs) == 1
    assert smaller.compressed.bytes < outcome.compressed.bytes / 3
    assert smaller.epochs == () and smaller.parameters == outcome.parameters


@pytest.mark.parametrize("training", ["none", "labels", "logits"])
def test_narrowing_gives_the_architecture(runs, training):
    trial = compression(f"narrowed, {training}", widths="8 M 8 M | gap 8", training=training)
    outcome = run_trial(trial, DATA, runs, "cpu")
    assert outcome.architecture_string == "8 M 8 M | gap 8"
    assert run_trial(trial, DATA, runs, "cpu") == outcome  # it was read, not repeated


def test_without_a_trained_network_there_is_no_compression(tmp_path):
    outcome = run_trial(compression("folded"), DATA, tmp_path, "cpu")
    assert outcome.failed == "the network to compress did not learn" and outcome.test_top1 is None
