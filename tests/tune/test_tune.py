"""From a folder to a run folder: what is read, decided, measured, saved and warned of; with tiny networks."""

import csv
import re
import shutil
import tomllib
from dataclasses import replace

import pytest
import torch
from safetensors.torch import save_file

from tests.train.folders import write_folder
from verydeep.architecture.architecture import Architecture
from verydeep.data.decode import decode
from verydeep.data.label_file import read_label_file
from verydeep.data.split_file import read_split
from verydeep.errors import CheckpointError, DataError, RecipeError
from verydeep.models.build import build
from verydeep.models.checkpoint import Checkpoint
from verydeep.models.logits import predict_logits
from verydeep.saved_runs.saved_run import read_run
from verydeep.train.recipe import Recipe
from verydeep.train.train import train_network
from verydeep.tune.config import TuneConfig
from verydeep.tune.prepare import TuneWatcher
from verydeep.tune.tune import tune_network
from verydeep.weight_files.checkpoint_file import load, save

from .conftest import PREPROCESS


def test_the_run_folder_has_the_network_the_decisions_and_the_split(finished):
    result = finished()
    assert sorted(path.name for path in result.run.iterdir()) == [
        "doubtful-labels.csv",
        "model.safetensors",
        "split.csv",
        "tune.toml",
    ]
    network = load(result.run)
    assert network.classes == ("circle", "square", "triangle")
    assert network.preprocess == replace(PREPROCESS, resize=None)
    assert network.origin["weights"] == "tiny.safetensors"
    assert network.origin["strategy"] == "linear-probe"
    assert network.origin["test_top1"] == result.test.top1
    assert network.origin["test_balanced_accuracy"] == result.test.balanced_accuracy
    saved = read_run(result.run)
    assert (saved.command, saved.state, saved.test_top1) == ("tune", "finished", result.test.top1)
    assert network.origin["recipe"] == (result.run / "tune.toml").read_text()
    assert network.temperature == result.temperature > 0
    assert tomllib.loads((result.run / "tune.toml").read_text())["l2"] == result.probe.l2
    with (result.run / "split.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 120
    assert [part.images for part in result.parts] == [96, 24]
    assert result.seconds > 0


def test_doubtful_labels_are_those_that_held_out_predictions_disagree_with(finished, shapes):
    result = finished()
    rows, location = read_label_file(result.run / "doubtful-labels.csv")
    assert location == str(shapes)
    parts = read_split(result.run / "split.csv")
    for held_out, wanted in ((result.test, {"test"}), (result.probe.evaluation, {"train", "val"})):
        mistakes = sum(sum(row) for row in held_out.confusion) - sum(
            row[label] for label, row in enumerate(held_out.confusion)
        )
        assert sum(parts[row.path] in wanted for row in rows) == mistakes
    assert all(row.label == row.path.split("/")[0] != row.predicted and row.new_label == "" for row in rows)
    confidences = [row.confidence for row in result.doubtful_labels]
    assert rows and confidences == sorted(confidences, reverse=True)


def test_the_saved_network_reproduces_the_measured_accuracy(finished, shapes):
    result = finished()
    network = load(result.run)
    names = [name for name, part in read_split(result.run / "split.csv").items() if part == "test"]
    pixels = torch.stack([decode(shapes / name, network.preprocess) for name in names])
    predicted = predict_logits(network.model, pixels, network.preprocess).argmax(1).tolist()
    correct = sum(network.classes[i] == name.split("/")[0] for i, name in zip(predicted, names, strict=True))
    assert correct / len(names) == pytest.approx(result.test.top1)
    assert result.test.top1 > 0.5  # of three classes, by random convolutions
    scaled, choice = result.test.scaled, result.calibration
    assert (scaled.temperature if scaled else 1.0) == result.temperature == choice.temperature
    assert (scaled is not None) is choice.is_applied
    mistaken = {mistake.name for mistake in result.mistakes}
    assert len(mistaken) == min(24, len(names) - correct) and mistaken <= set(names)


def test_names_that_look_like_groups_are_a_warning(finished):
    (warning,) = (sentence for sentence in finished().warnings if "look like groups" in sentence)
    assert "20 groups of 6 to 6 images" in warning
    assert "--group-by 'photo_[0-9]+'" in warning
    grouped = finished(group_by=r"\w+/photo_\d+")
    assert not any("--group-by" in sentence for sentence in grouped.warnings)


def test_groups_are_not_divided_by_the_split(finished):
    result = finished(group_by=r"\w+/photo_\d+")
    with (result.run / "split.csv").open() as file:
        rows = list(csv.DictReader(file))
    parts = {}
    for row in rows:
        parts.setdefault(row["group"], set()).add(row["part"])
    assert result.images.groups == len(parts) == 60
    assert all(len(part) == 1 for part in parts.values())
    assert result.test.groups == len({row["group"] for row in rows if row["part"] == "test"})


def test_a_second_run_computes_no_features(run):
    first, second = run(), run(name="again")
    assert (first.features.computed, second.features.computed) == (120, 0)
    assert second.test.confusion == first.test.confusion


def test_auto_compares_two_head_positions_and_gap_does_not(finished):
    auto, gap = finished(), finished(head="gap")
    assert auto.head_reason.startswith("after ") and "by the loss in cross-validation" in auto.head_reason
    assert gap.head_reason == "after pool2, as given"
    assert gap.architecture.string == "16 M 32 M | gap"
    losses = {position: float(loss) for loss, _, position in (
        part.split(" ", 2) for part in auto.head_reason.split("cross-validation: ")[1].split(", ")
    )}  # fmt: skip
    assert auto.decided.head == min(losses, key=losses.get)
    assert auto.features.values == {"relu1_1": 16, "pool2": 32}[auto.decided.head]


def test_all_images_but_those_of_the_test_are_cross_validated(finished):
    assert finished().probe.evaluation.images == 96


def test_a_few_unreadable_images_are_named_and_left_out(run, tmp_path):
    folder = write_folder(tmp_path / "some", (20, 20, 20))
    (folder / "circle" / "photo_000_000.png").write_bytes(b"no image")
    result = run(folder)
    (unreadable,) = result.images.unreadable
    assert unreadable.name == "circle/photo_000_000.png"
    assert (result.images.images, sum(part.images for part in result.parts)) == (60, 59)
    assert result.images.class_sizes == {"circle": 19, "square": 20, "triangle": 20}
    (warning,) = (each for each in result.warnings if "cannot be read" in each)
    assert "circle/photo_000_000.png" in warning and f"verydeep data check {folder}" in warning


def test_unreadable_images_are_left_out_of_training_from_scratch_too(run, tmp_path):
    folder = write_folder(tmp_path / "some", (20, 20, 20))
    (folder / "circle" / "photo_000_000.png").write_bytes(b"no image")
    result = run(folder, strategy="scratch", scratch__epochs=1, budget="none")
    assert [each.name for each in result.images.unreadable] == ["circle/photo_000_000.png"]
    assert sum(part.images for part in result.parts) == 59


def test_many_unreadable_images_are_refused(run, tmp_path):
    folder = write_folder(tmp_path / "many", (10, 10, 10))
    for number in (0, 1):
        (folder / "circle" / f"photo_000_00{number}.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"2 of 30 images cannot be read, more than 5%: .*photo_000_000\.png"):
        run(folder)


def test_an_image_on_both_sides_of_the_split_is_the_first_warning(run, tmp_path):
    folder = write_folder(tmp_path / "twice", (20, 20, 20))
    for file in sorted((folder / "circle").iterdir()):
        (folder / "circle" / f"copy of {file.name}").write_bytes(file.read_bytes())
    result = run(folder)
    across = next(each for each in result.findings if each.kind == "duplicates across splits")
    assert across.severity == "error"
    assert ("circle/copy of photo_001_003.png", "circle/photo_001_003.png") in across.files
    assert result.warnings[0].endswith("Keep them together: --group-by 'duplicates'.")
    together = run(folder, group_by="duplicates", name="together")
    assert not any(each.kind == "duplicates across splits" for each in together.findings)


def test_too_many_images_are_not_checked_for_duplicates(run, monkeypatch):
    monkeypatch.setattr("verydeep.tune.data_quality.MOST_IMAGES", 100)
    assert run().findings is None


def test_imbalanced_classes_are_balanced_with_the_reason(run, tmp_path):
    folder = write_folder(tmp_path / "imbalanced", (60, 10, 10))
    result = run(folder)
    assert result.balance == (
        "circle has 6.0 times the images of square: logit adjustment makes every class count the same "
        "(--balance none switches it off)"
    )
    assert result.decided.balance == "logit-adjust"
    plain = run(folder, balance="none", name="plain")
    assert plain.balance.endswith("every image counts the same")
    rare = ("square", "triangle")
    recalls = [sum(each.test.per_class[name] for name in rare) for each in (result, plain)]
    assert recalls[0] >= recalls[1]


@pytest.mark.parametrize(
    ("method", "text"), [("weights", "loss weights make"), ("sampler", "a balanced sampler makes")]
)
def test_a_given_balance_method_is_used_in_all_steps(run, method, text):
    result = run(strategy="fine-tune", balance=method, budget="none", fine_tune__epochs=1)
    assert result.balance == f"all classes have the same size: {text} every class count the same"
    assert result.decided.balance == method == result.decided.fine_tune_recipe.balance


def test_a_class_of_one_image_is_trained_on_with_a_warning(run, tmp_path):
    folder = write_folder(tmp_path / "single", (12, 12, 1))
    result = run(folder)
    assert result.test.images == 5
    assert any("few training images of" in each and "triangle (1)" in each for each in result.warnings)


def test_two_images_per_class_are_too_few_to_estimate_anything(run, tmp_path):
    with pytest.raises(DataError, match="at most 2 images a class: too few"):
        run(write_folder(tmp_path / "pairs", (2, 2, 2)))


def test_one_image_per_class_cannot_be_split(run, tmp_path):
    folder = write_folder(tmp_path / "ones", (1, 1, 1))
    with pytest.raises(DataError, match="no class has two"):
        run(folder)


def test_the_size_of_the_test_part_is_that_asked_for(finished):
    assert finished(test=0.5).test.images == 60


def test_a_test_folder_is_the_test_part(run, tmp_path):
    write_folder(tmp_path / "given" / "train", (10, 10, 10))
    write_folder(tmp_path / "given" / "test", (4, 4, 4), seed=1)
    result = run(tmp_path / "given")
    assert result.test.images == 12
    assert [(part.part, part.images) for part in result.parts] == [("train", 30), ("test", 12)]


@pytest.mark.parametrize(
    ("sizes", "message"),
    [((10,), "one class, circle; a classifier needs two"), ((10, 10, 0), "no training images of triangle")],
)
def test_classes_that_cannot_be_trained_are_refused(run, tmp_path, sizes, message):
    with pytest.raises(DataError, match=message):
        run(write_folder(tmp_path / "few", sizes))
    assert not (tmp_path / "run").exists()


def test_a_folder_that_is_not_empty_is_refused_before_anything_is_computed(run, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes.txt").write_text("mine")
    with pytest.raises(RecipeError, match="is not empty"):
        run()
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("strategy", ["auto", "linear-probe", "fine-tune", "compare"])
def test_without_weights_anywhere_three_ways_are_named(run, strategy, monkeypatch, tmp_path):
    monkeypatch.setenv("VERYDEEP_OFFLINE", "1")
    for variable in ("HOME", "VERYDEEP_CACHE", "TORCH_HOME", "KERAS_HOME", "HF_HUB_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / "empty"))
    ways = r"VERYDEEP_OFFLINE is set.*Connect .*; or give --weights: .*; or .* --strategy scratch --model"
    with pytest.raises(CheckpointError, match=ways):
        run(weights=None, strategy=strategy)


def test_default_weights_are_told_saved_and_used_by_a_repetition(run, monkeypatch, weights):
    told = []

    class Told(TuneWatcher):
        def chooses_weights(self, text):
            told.append(text)

    def default(tell, progress, *, features):
        tell(f"Weights: {weights}")
        return str(weights)

    monkeypatch.setattr("verydeep.tune.prepare.default_weights", default)
    result = run(weights=None, watcher=Told())
    assert told == [f"Weights: {weights}"]
    assert result.asked.weights is None and result.decided.weights == str(weights)
    assert tomllib.loads((result.run / "tune.toml").read_text())["weights"] == str(weights)


def test_a_download_of_named_weights_is_followed(run, monkeypatch, weights):
    followed = []

    class Followed(TuneWatcher):
        def downloaded(self, done, total):
            followed.append((done, total))

    def download(name, *, progress):
        progress(5, None)
        progress(10, 10)
        return weights

    monkeypatch.setattr("verydeep.train.start.pretrained.download_weights", download)
    run(weights="vgg16", watcher=Followed())
    assert followed == [(5, None), (10, 10)]


def test_hidden_layers_that_the_weights_lack_are_refused(run, tmp_path):
    layers = build(Architecture.from_string("64 M 128 M 256x2 M 512x2 M 512x2 M | gap", input=(3, 32, 32)))
    save_file(layers.features.state_dict(prefix="features."), tmp_path / "vgg11-features.safetensors")
    with pytest.raises(CheckpointError, match=r"has no classifier\.0, classifier\.3, which --head whole"):
        run(weights=str(tmp_path / "vgg11-features.safetensors"), head="whole")


def test_the_whole_head_keeps_its_hidden_layers(run, tmp_path):
    torch.manual_seed(0)
    net = Architecture.from_string("16 M | pool4 24", norm="batch", input=(3, 16, 16), classes=5)
    model = build(net).eval()
    file = str(tmp_path / "hidden.safetensors")
    save(Checkpoint(model, PREPROCESS, tuple("abcde")), file)
    whole = run(weights=file, head="whole")
    assert whole.architecture.string == "16 M | pool4 24"
    assert whole.features.values == 24 and whole.decided.head == "whole"
    kept = load(whole.run).model.classifier[0].weight
    assert torch.equal(kept, model.classifier[0].weight)
    assert run(weights=file, name="gap").architecture.string == "16 M | gap"


def test_a_tuned_run_is_tuned_again(run):
    first = run(name="first")
    again = run(weights=str(first.run), strategy="fine-tune", budget="none", fine_tune__epochs=1)
    assert again.chosen == "fine-tune" and again.test.images == 24


TRAINED = {"strategy": "fine-tune", "budget": "none", "fine_tune__epochs": 1}


def test_test_images_that_the_weights_were_trained_on_are_refused(run, finished, tmp_path):
    tuned = finished(**TRAINED).run
    with pytest.raises(DataError) as error:
        run(weights=str(tuned), seed=1)
    seen = re.fullmatch(
        rf"(\d+) of the 24 test images of shapes were trained on in {tuned}, such as .*: with its weights, "
        rf"the test would be too good. Keep its split by --from {tuned}, or give other --weights",
        str(error.value),
    )
    trained = {name for name, part in read_split(tuned / "split.csv").items() if part == "train"}
    other = {name for name, part in read_split(finished(seed=1).run / "split.csv").items() if part == "test"}
    assert int(seen[1]) == len(trained & other)
    assert not (tmp_path / "run" / "model.safetensors").exists()


def test_a_linear_probe_has_not_trained_the_convolutions_but_what_it_started_from_has(run, finished):
    assert run(name="other", weights=str(finished().run), seed=1).test.images == 24
    probe = run(name="probe", weights=str(finished(**TRAINED).run))
    (note,) = (each for each in probe.images.reading.notes if "was trained on 96 of the 120 images" in each)
    assert "the figures of cross-validation and validation are too good" in note
    with pytest.raises(DataError, match=r"were trained on in .*finished"):
        run(weights=str(probe.run), seed=1)


def test_images_that_a_training_has_seen_are_refused_at_the_same_location_alone(run, shapes, tmp_path):
    recipe = Recipe(model="16 M 32 M | gap", epochs=1, batch_size=32, size=16, seed=0)
    trained = train_network(recipe, str(shapes), tmp_path / "trained", device="cpu").run
    with pytest.raises(DataError, match=r"were trained on in .*trained, such as .*\. Give other --weights"):
        run(weights=str(trained), seed=1)
    other = replace(recipe, model=None, weights=str(trained), seed=1)
    with pytest.raises(DataError, match=r"Give other --weights, or split the images as that run did"):
        train_network(other, str(shapes), tmp_path / "run", device="cpu")
    elsewhere = shutil.copytree(shapes, tmp_path / "shapes")
    assert run(elsewhere, weights=str(trained), seed=1, size=16).test.images == 24


@pytest.mark.parametrize("out", ["runs/tune-mine", "model"])
def test_the_run_may_be_in_the_folder_of_the_images(shapes, weights, tmp_path, monkeypatch, out):
    monkeypatch.chdir(shutil.copytree(shapes, tmp_path / "mine"))
    config = TuneConfig(weights=str(weights), strategy="linear-probe")
    for run in (out, f"{out}-2"):
        result = tune_network(".", config, run, device="cpu", cache=tmp_path / "cache")
        assert result.images.class_sizes == dict.fromkeys(("circle", "square", "triangle"), 40)


def test_the_seed_decides_the_split(run, finished):
    results = (finished(), run(name="same", seed=0), run(name="other", seed=1))
    first, same, other = (read_split(result.run / "split.csv") for result in results)
    assert first == same != other
