"""From a folder to a run folder: what is learned, what is kept, what is said; with networks of two layers."""

import csv
import re
import tomllib
from dataclasses import replace

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from verydeep.architecture.architecture import Architecture
from verydeep.architecture.preprocess import Preprocess
from verydeep.data import synthetic
from verydeep.data.decode import decode
from verydeep.data.split_file import read_split
from verydeep.errors import CheckpointError, DataError, RecipeError
from verydeep.evaluate.logits import predict_logits
from verydeep.models.build import build
from verydeep.models.checkpoint import Checkpoint
from verydeep.tune.result import TuneSettings
from verydeep.tune.tune import TuneWatcher, tune
from verydeep.weights import checkpoint_file as checkpoint

SEEN = Preprocess(size=16, mean=(0.5,) * 3, std=(0.25,) * 3)


def write_folder(folder, sizes, *, per_photo=2, size=16, seed=0):
    """Shapes as PNG, ``sizes`` of each class; ``per_photo`` in a row bear the name of one photograph."""
    drawn = synthetic.shapes(3 * max(sizes), size=size, channels=3, classes=3, seed=seed)
    for label, count in enumerate(sizes):
        pictures = drawn.pixels[drawn.labels == label][:count]
        place = folder / drawn.classes[label]
        place.mkdir(parents=True)
        for number, picture in enumerate(pictures):
            name = f"photo_{number // per_photo:03}_{number:03}.png"
            Image.fromarray(picture.permute(1, 2, 0).numpy()).save(place / name)
    return folder


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A network of random convolutions: enough to tell shapes apart by."""
    torch.manual_seed(0)
    line = Architecture.from_string("16 M 32 M | gap", norm="batch", input=(3, 16, 16), classes=2)
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    checkpoint.save(Checkpoint(build(line).eval(), SEEN, ("one", "other")), path)
    return path


@pytest.fixture(scope="module")
def shapes(tmp_path_factory):
    return write_folder(tmp_path_factory.mktemp("data") / "shapes", (40, 40, 40))


@pytest.fixture
def settings(shapes, weights):
    return TuneSettings(data=str(shapes), weights=str(weights), way="frozen")


@pytest.fixture
def run(tmp_path):
    """Tunes with a cache and a run folder of its own."""

    def run(settings, watcher=None, name="run"):
        return tune(settings, tmp_path / name, device="cpu", watcher=watcher, cache=tmp_path / "cache")

    return run


def test_a_run_folder_is_whole_and_says_where_it_comes_from(run, settings, shapes):
    result = run(settings)
    network = checkpoint.load(result.run)
    assert network.classes == ("circle", "square", "triangle")
    assert network.preprocess == replace(SEEN, resize=None)
    assert network.origin["weights"] == "tiny.safetensors"
    assert network.origin["temperature"] == result.temperature > 0
    assert tomllib.loads((result.run / "tune.toml").read_text())["way"] == "frozen"
    with (result.run / "split.csv").open() as file:
        assert len(list(csv.DictReader(file))) == 120
    assert [part.images for part in result.parts] == [96, 24]


def test_the_saved_network_gives_what_was_measured(run, settings, shapes):
    result = run(settings)
    network = checkpoint.load(result.run)
    parts = read_split(result.run / "split.csv")
    names = [name for name, part in parts.items() if part == "test"]
    pixels = torch.stack([decode(shapes / name, network.preprocess) for name in names])
    predicted = predict_logits(network.model, pixels, network.preprocess).argmax(1).tolist()
    right = sum(
        network.classes[place] == name.split("/")[0] for place, name in zip(predicted, names, strict=True)
    )
    assert right / len(names) == pytest.approx(result.test.top1)
    assert result.test.top1 > 0.5  # of three classes, by random convolutions


def test_names_that_look_like_groups_are_said(run, settings):
    (said,) = (sentence for sentence in run(settings).advice if "look like" in sentence)
    assert "20 groups of 6 to 6 images" in said
    assert "--group-by 'photo_[0-9]+'" in said
    grouped = run(replace(settings, group_by=r"\w+/photo_\d+"), name="grouped")
    assert not any("--group-by" in sentence for sentence in grouped.advice)


def test_groups_stay_whole_in_the_split(run, settings):
    result = run(replace(settings, group_by=r"\w+/photo_\d+"))
    with (result.run / "split.csv").open() as file:
        rows = list(csv.DictReader(file))
    parts = {}
    for row in rows:
        parts.setdefault(row["group"], set()).add(row["part"])
    assert result.reading.groups == len(parts) == 60
    assert all(len(part) == 1 for part in parts.values())


def test_the_second_run_looks_at_nothing_again(run, settings):
    first, second = run(settings), run(settings, name="again")
    assert (first.features.computed, second.features.computed) == (120, 0)
    assert second.test.confusion == first.test.confusion


def test_the_strength_has_the_least_loss_of_the_curve(run, settings):
    validation = run(settings).validation
    assert validation.folds == 5
    best = min(validation.curve, key=lambda point: point.loss)
    assert validation.strength == best.strength
    assert validation.score.images == 96


def test_a_few_broken_files_are_named_and_passed_over(run, weights, tmp_path):
    folder = write_folder(tmp_path / "some", (20, 20, 20))
    (folder / "circle" / "photo_000_000.png").write_bytes(b"no image")
    result = run(TuneSettings(data=str(folder), weights=str(weights), way="frozen"))
    (broken,) = result.reading.broken
    assert broken.name == "circle/photo_000_000.png"
    assert result.reading.class_sizes == {"circle": 19, "square": 20, "triangle": 20}
    assert any("circle/photo_000_000.png" in sentence for sentence in result.advice)


def test_an_image_on_both_sides_of_the_split_is_said_first(run, weights, tmp_path):
    folder = write_folder(tmp_path / "twice", (20, 20, 20))
    for file in sorted((folder / "circle").iterdir()):
        (folder / "circle" / f"copy of {file.name}").write_bytes(file.read_bytes())
    settings = TuneSettings(data=str(folder), weights=str(weights), way="frozen")
    result = run(settings)
    across = next(each for each in result.findings if each.kind == "duplicates across splits")
    assert across.severity == "error"
    assert ("circle/copy of photo_001_003.png", "circle/photo_001_003.png") in across.files
    assert result.advice[0].endswith("Keep them together: --group-by 'duplicates'.")
    together = run(replace(settings, group_by="duplicates"), name="together")
    assert not any(each.kind == "duplicates across splits" for each in together.findings)


def test_many_broken_files_are_refused(run, weights, tmp_path):
    folder = write_folder(tmp_path / "many", (10, 10, 10))
    for number in (0, 1):
        (folder / "circle" / f"photo_000_00{number}.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"2 of 30 images cannot be read, more than 5%: .*photo_000_000\.png"):
        run(TuneSettings(data=str(folder), weights=str(weights), way="frozen"))


def test_unlike_sizes_are_balanced_and_said(run, weights, tmp_path):
    folder = write_folder(tmp_path / "unlike", (60, 10, 10))
    asked = TuneSettings(data=str(folder), weights=str(weights), way="frozen")
    result = run(asked)
    assert result.balance.startswith("circle has 6.0 times the images of square: logits are adjusted")
    plain = run(replace(asked, balance="none"), name="plain")
    assert "every image counts the same" in plain.balance
    rare = ("square", "triangle")
    recalls = [sum(each.test.per_class[name] for name in rare) for each in (result, plain)]
    assert recalls[0] >= recalls[1]


def test_a_class_of_one_image_is_learned_from_and_said(run, weights, tmp_path):
    folder = write_folder(tmp_path / "lone", (12, 12, 1))
    result = run(TuneSettings(data=str(folder), weights=str(weights), way="frozen"))
    assert result.test_score.images == 5
    assert any("triangle (1)" in sentence for sentence in result.advice)


def test_one_image_a_class_cannot_be_tested(run, weights, tmp_path):
    folder = write_folder(tmp_path / "ones", (1, 1, 1))
    with pytest.raises(DataError, match="no class has two"):
        run(TuneSettings(data=str(folder), weights=str(weights)))


def test_a_test_folder_is_kept_to(run, weights, tmp_path):
    write_folder(tmp_path / "given" / "train", (10, 10, 10))
    write_folder(tmp_path / "given" / "test", (4, 4, 4), seed=1)
    result = run(TuneSettings(data=str(tmp_path / "given"), weights=str(weights), way="frozen"))
    assert result.test.images == 12
    assert [(part.part, part.images) for part in result.parts] == [("train", 30), ("test", 12)]


def test_one_class_is_refused(run, weights, tmp_path):
    folder = write_folder(tmp_path / "single", (10, 0, 0))
    (folder / "square").rmdir()
    (folder / "triangle").rmdir()
    with pytest.raises(DataError, match="one class, circle; it takes two"):
        run(TuneSettings(data=str(folder), weights=str(weights)))


def test_a_class_without_images_is_refused_by_name(run, weights, tmp_path):
    folder = write_folder(tmp_path / "empty", (10, 10, 0))
    with pytest.raises(DataError, match="no images to train on of triangle"):
        run(TuneSettings(data=str(folder), weights=str(weights)))


def test_a_place_that_is_taken_is_refused(run, settings, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes.txt").write_text("mine")
    with pytest.raises(RecipeError, match="is not empty"):
        run(settings)


def test_weights_are_asked_for(run, settings):
    with pytest.raises(RecipeError, match="give --weights"):
        run(replace(settings, weights=None))


def test_hidden_layers_that_the_weights_lack_are_refused(run, settings, tmp_path):
    layers = build(Architecture.from_string("64 M 128 M 256x2 M 512x2 M 512x2 M | gap", input=(3, 32, 32)))
    save_file(layers.features.state_dict(prefix="features."), tmp_path / "vgg11-features.safetensors")
    with pytest.raises(CheckpointError, match=r"lacks classifier\.0, classifier\.3, which would stay"):
        run(replace(settings, weights=str(tmp_path / "vgg11-features.safetensors"), head="whole"))


def test_the_whole_head_keeps_its_hidden_layers(run, shapes, tmp_path):
    torch.manual_seed(0)
    line = Architecture.from_string("16 M | pool4 24", norm="batch", input=(3, 16, 16), classes=5)
    model = build(line).eval()
    checkpoint.save(Checkpoint(model, SEEN, tuple("abcde")), tmp_path / "hidden.safetensors")
    asked = TuneSettings(data=str(shapes), weights=str(tmp_path / "hidden.safetensors"), way="frozen")
    whole = run(replace(asked, head="whole"))
    assert whole.architecture.string == "16 M | pool4 24"
    assert whole.features.values == 24
    kept = checkpoint.load(whole.run).model.classifier[0].weight
    assert torch.equal(kept, model.classifier[0].weight)
    assert run(asked, name="gap").architecture.string == "16 M | gap"


def test_training_on_from_the_head_is_no_worse_on_what_was_held_out(run, settings):
    result = run(replace(settings, way="full", budget=20.0))
    frozen, full = result.candidates
    assert (frozen.way, full.way, result.chosen) == ("frozen", "full", "full")
    assert full.epochs
    assert full.validation.images == frozen.validation.images == 19
    assert full.validation.balanced_accuracy >= frozen.validation.balanced_accuracy  # epoch 0 is the head
    assert checkpoint.load(result.run).origin["way"] == "full"


def test_few_images_keep_the_network_as_it_is(run, settings):
    result = run(replace(settings, way="auto"))
    assert result.chosen == "frozen"
    assert "77 training images are too few to train the network itself by" in result.why
    assert [each.way for each in result.candidates] == ["frozen", "full"]


def test_a_small_budget_is_said_with_what_would_do(run, settings, monkeypatch):
    monkeypatch.setattr("verydeep.tune.strategies.FEW", 50)
    monkeypatch.setattr(
        "verydeep.tune.strategies.measured_speed", lambda model, fabric: 1e6
    )  # a slow machine
    result = run(replace(settings, way="auto", budget=60.0))
    assert result.chosen == "frozen"
    assert re.search(
        r"fine-tuning the last stage would take \d+ minutes here, .*: --budget \d+m$", result.why
    )


def test_from_scratch_needs_no_weights(run, settings):
    result = run(
        replace(settings, weights=None, model="8 M 16 M | gap", way="from-scratch", size=16, budget=20.0)
    )
    (scratch,) = result.candidates
    assert result.chosen == scratch.way == "from-scratch"
    assert result.features is None
    assert result.validation is None
    assert scratch.test == result.test_score


def test_all_ways_are_compared_on_the_same_images(run, settings):
    result = run(replace(settings, way="compare", budget=30.0))
    assert [each.way for each in result.candidates] == ["frozen", "full", "from-scratch"]
    assert {each.validation.images for each in result.candidates} == {19}
    assert {each.test.images for each in result.candidates} == {24}
    assert all(
        low <= each.test.balanced_accuracy <= high
        for each in result.candidates
        for low, high in [each.test.interval]
    )


def test_an_interruption_of_training_leaves_the_head(run, settings, tmp_path):
    class Impatient(TuneWatcher):
        def stepped(self, state):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(replace(settings, way="full"), Impatient())
    assert checkpoint.load(tmp_path / "run").origin["way"] == "frozen"
