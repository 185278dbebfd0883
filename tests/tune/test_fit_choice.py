"""How wide pictures become square in `tune`: as given, by their shapes, or by cross-validation."""

import re

import pytest
import torch
from PIL import Image

from verydeep.data.decode import decode
from verydeep.data.split_file import read_split
from verydeep.errors import Interrupted
from verydeep.models.logits import predict_logits
from verydeep.report.tune_page import render_tune
from verydeep.tables.tune_table import tune_values
from verydeep.tune import fit_choice
from verydeep.tune.config import config_from_run
from verydeep.tune.prepare import TuneWatcher
from verydeep.tune.tune import tune_network
from verydeep.weight_files.checkpoint_file import load

COLORS = {"green": (20, 230, 40), "red": (230, 20, 40)}


SHARE = "100 % have a long side of over 4/3 of the short side"
QUICK = {"head": "gap", "l2": 0.1}


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """24 pictures of each color, 64 x 16 px: a square of it at one end, and gray of some shade elsewhere."""
    folder = tmp_path_factory.mktemp("wide")
    for name, color in COLORS.items():
        (folder / name).mkdir()
        for number in range(24):
            picture = Image.new("RGB", (64, 16), (60 + 5 * number,) * 3)
            picture.paste(color, (0, 2, 12, 14) if number % 2 else (52, 2, 64, 14))
            picture.save(folder / name / f"{'ab'[number // 12]}_{number:02}.png")
    return folder


class Told(TuneWatcher):
    def __init__(self):
        self.lines = []

    def chooses_fit(self, text):
        self.lines.append(plain(text))


def plain(text):
    return text.replace("\N{NO-BREAK SPACE}", " ")


def test_where_the_object_is_at_the_edge_auto_keeps_it(run, wide):
    watcher = Told()
    result = run(wide, watcher=watcher)
    fit, reason = result.decided.fit, plain(result.fit_reason)
    assert result.preprocess.fit == load(result.run).preprocess.fit == fit != "crop"
    assert watcher.lines == [
        f"Comparing crop, pad and squash on 38 training images: {SHARE}",
        f"Images become square by {reason}",
    ]
    begin = f"{fit}, by the loss in 5-fold cross-validation on 38 training images: "
    assert reason.startswith(begin) and reason.endswith(f"; {SHARE}")
    losses = {
        name: float(loss) for loss, name in re.findall(r"([\d.]+) with (\w+) \(balanced accuracy", reason)
    }
    assert set(losses) == {"crop", "pad", "squash"} and losses[fit] == min(losses.values())
    assert result.test.top1 == 1 and losses["crop"] > 0.6  # log 2 is 0.69: a crop cannot tell
    values = tune_values(result)
    assert (values["fit"], values["fit_reason"]) == (fit, result.fit_reason)
    assert reason.removeprefix(fit) in plain(render_tune(result, command="verydeep tune"))

    again = run(wide, watcher=watcher, name="again", file=result.run / "tune.toml")
    assert again.fit_reason == f"{fit}, as given" and len(watcher.lines) == 2
    assert again.features.computed == 0 and again.test.confusion == result.test.confusion


@pytest.mark.parametrize(("fit", "is_seen"), [("crop", False), ("pad", True), ("squash", True)])
def test_a_fit_that_is_given_is_kept_in_the_checkpoint(run, wide, fit, is_seen):
    watcher = Told()
    result = run(wide, watcher=watcher, fit=fit, **QUICK)
    network = load(result.run)
    assert network.preprocess.fit == fit and result.fit_reason == f"{fit}, as given"
    assert watcher.lines == [] and result.features.computed == 48
    names = [name for name, part in read_split(result.run / "split.csv").items() if part == "test"]
    pixels = torch.stack([decode(wide / name, network.preprocess) for name in names])
    predicted = predict_logits(network.model, pixels, network.preprocess).argmax(1).tolist()
    correct = [network.classes[i] == name.split("/")[0] for i, name in zip(predicted, names, strict=True)]
    assert sum(correct) / len(correct) == result.test.top1
    assert (result.test.top1 == 1) is is_seen


def test_square_images_are_cropped_without_a_comparison(run):
    watcher = Told()
    auto, crop = run(watcher=watcher, **QUICK), run(name="crop", fit="crop", **QUICK)
    assert watcher.lines == [] and auto.features.computed == 120
    assert plain(auto.fit_reason) == (
        "crop, as the images are about square: 0 % have a long side of over 4/3 of the short side"
    )
    first, second = load(auto.run), load(crop.run)
    assert first.preprocess == second.preprocess and first.preprocess.fit == "crop"
    tensors = zip(first.model.state_dict().values(), second.model.state_dict().values(), strict=True)
    assert all(torch.equal(one, other) for one, other in tensors)
    assert "fit" not in first.preprocess.to_dict()


def test_a_run_that_is_continued_keeps_its_fit(run, wide, tmp_path):
    first = run(wide, fit="pad", **QUICK)
    config = config_from_run(first.run)
    second = tune_network(str(wide), config, tmp_path / "more", device="cpu", cache=tmp_path / "cache")
    assert second.preprocess == first.preprocess and second.fit_reason == f"pad, as in {first.run}"
    assert second.comparison is not None


def test_without_time_to_compare_the_crop_stays_with_the_reason(run, wide):
    result = run(wide, budget="0.1s", **QUICK)
    assert result.preprocess.fit == "crop"
    reason = plain(result.fit_reason)
    assert reason.startswith("crop, as comparing other fits would take about ")
    assert reason.endswith("--fit pad keeps them whole, and --budget 1m allows the comparison")


def test_many_images_are_compared_on_a_sample(run, wide, monkeypatch):
    monkeypatch.setattr(fit_choice, "SAMPLE", 20)
    result = run(wide, **QUICK)
    assert "on 20 training images" in result.fit_reason and result.preprocess.fit != "crop"
    assert (result.features.cached, result.features.computed) == (20, 28)


def test_a_single_group_cannot_be_compared(run, wide):
    result = run(wide, group_by=r"/(a|b)_", test=0.5, **QUICK)
    assert result.fit_reason == "crop, as there are too few images for cross-validation"


def test_a_resumed_run_keeps_the_fit_and_its_reason(run, resume, wide):
    class Stopped(Told):
        is_training = False

        def begins(self, job, state):
            self.is_training = True

        def wants_to_stop(self):
            return self.is_training

    first, second = Stopped(), Told()
    with pytest.raises(Interrupted):
        run(wide, watcher=first, strategy="fine-tune", fine_tune__epochs=1, budget="none", **QUICK)
    result = resume(wide, watcher=second)
    assert first.lines[-1] == f"Images become square by {plain(result.fit_reason)}" and second.lines == []
    assert load(result.run).preprocess.fit == result.decided.fit != "crop" and result.asked.fit == "auto"


def test_from_scratch_there_is_no_probe_to_choose_by(run, wide):
    result = run(wide, strategy="scratch", scratch__epochs=1, scratch__batch_size=16)
    assert result.preprocess.fit == "crop" and "no linear probe to choose by" in result.fit_reason
    padded = run(wide, name="pad", strategy="scratch", fit="pad", scratch__epochs=1, scratch__batch_size=16)
    assert padded.preprocess.fit == load(padded.run).preprocess.fit == "pad"


def test_a_sample_has_some_images_of_each_class(monkeypatch):
    monkeypatch.setattr(fit_choice, "SAMPLE", 60)
    labels = torch.tensor([0] * 900 + [1] * 90 + [2] * 3)
    chosen = fit_choice._stratified(labels, seed=0)
    assert labels[chosen].bincount().tolist() == [54, 5, 3]
    assert chosen.tolist() == sorted(set(chosen.tolist()))
    assert torch.equal(chosen, fit_choice._stratified(labels, seed=0))
    assert fit_choice._stratified(labels[-40:], seed=0).tolist() == list(range(40))
