"""The command ``compress``: on a run of `train`, by each limit, and what it refuses."""

import json

import pytest
import torch
from PIL import Image

from verydeep.cli.compress import run
from verydeep.compress import compression, latency, layer_inputs, try_widths
from verydeep.compress.journal import JOURNAL, STATE
from verydeep.data import synthetic
from verydeep.train.optimizer.config import OptimizerConfig
from verydeep.train.recipe import Recipe
from verydeep.train.run import TrainingWatcher
from verydeep.train.train import train_network
from verydeep.weight_files import checkpoint_file
from verydeep.weight_files.checkpoint_file import save
from verydeep.weights.load import load

from ..compress.networks import checkpoint
from ..report.html import check_page, words

RECIPE = Recipe(
    model="32 M 48 M | gap 32", norm="batch", epochs=3, batch_size=50, precision="fp32", validation=0.3,
    optimizer=OptimizerConfig(name="muon", lr=0.05),
)  # fmt: skip


@pytest.fixture(autouse=True)
def is_quick(monkeypatch):
    """Times decide nothing here."""
    monkeypatch.setattr(latency, "TURNS", 2)
    monkeypatch.setattr(latency, "SECONDS_A_TURN", 0.002)
    monkeypatch.setattr(latency, "LAYER_SECONDS", 0.0)
    monkeypatch.setattr(layer_inputs, "MAX_IMAGES", 100)
    monkeypatch.setattr(compression, "SLOWER", 1000.0)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "shapes"
    train_network(RECIPE, "synthetic", folder)
    return folder


def test_a_smaller_network_is_written_with_all_that_was_tried(trained, here, tmp_path):
    flags = ("--steps", "fold,narrow", "--drop", 5, "--json")
    done = here("compress", trained, *flags, "--out", tmp_path / "small")
    assert done.returncode == 0, done.stderr
    values = json.loads(done.stdout)
    assert list(values) == ["run", "architecture", "before", "after", "test", "steps"]
    assert list(values["before"]) == ["top1", "latency_ms", "bytes", "macs", "parameters"]
    assert list(values["test"]) == ["before", "after", "interval"]
    assert list(values["steps"][0]) == [
        "name", "architecture", "top1", "latency_ms", "bytes", "kept", "why"
    ]  # fmt: skip
    assert values["after"]["bytes"] < values["before"]["bytes"]
    assert values["before"]["top1"] - values["after"]["top1"] <= 0.05 + 1e-9
    network = load(tmp_path / "small")
    assert network.model.architecture.string == values["architecture"] != "32 M 48 M | gap 32"
    kept = [step for step in values["steps"][1:] if step["kept"]]
    assert [{"bytes": step["bytes"], **own} for step, own in zip(
        kept, network.origin["compress"]["steps"], strict=True
    )] == kept  # fmt: skip
    assert network.origin["compress"]["source"].startswith("xxh3-128:")
    assert json.loads((tmp_path / "small" / "compress.json").read_text()) == values
    assert [step["name"] for step in values["steps"] if step["kept"]][-1] == "narrow"
    assert sum(step["name"] == "narrow" and step["kept"] for step in values["steps"]) == 1


def test_the_result_is_evaluated_compressed_and_measured_on_the_test_images_as_it_says(
    trained, here, tmp_path
):
    first = here("compress", trained, "--drop", 5, "--out", tmp_path / "a", "--json")
    evaluated = json.loads(here("evaluate", tmp_path / "a", "synthetic", "--json").stdout)
    assert evaluated["top1"] == pytest.approx(json.loads(first.stdout)["test"]["after"])
    again = here("compress", tmp_path / "a", "--drop", 100, "--out", tmp_path / "b")
    assert again.returncode == 0, again.stderr
    assert "smaller" in again.stdout and "at worst" in again.stdout
    assert again.stdout.rstrip().endswith(f"Report: {tmp_path / 'b' / 'report.html'}")
    shown = words((tmp_path / "b" / "report.html").read_text(encoding="utf-8"))
    assert "Asked for: a loss of at most 100 points." in shown


def test_a_size_is_reached_with_the_widest_network(trained, here, tmp_path):
    flags = ("--steps", "fold,narrow", "--bytes", "40KB", "--json")
    done = here("compress", trained, *flags, "--out", tmp_path / "small")
    assert done.returncode == 0, done.stderr
    values = json.loads(done.stdout)
    assert 20_000 < values["after"]["bytes"] <= 40_000
    assert values["after"]["bytes"] == (tmp_path / "small" / "model.safetensors").stat().st_size


def test_training_is_tried_where_narrowing_alone_loses_too_much(trained, here, tmp_path, monkeypatch):
    monkeypatch.setattr(try_widths, "RECOVERABLE", 100.0)
    monkeypatch.setattr(try_widths, "EPOCHS", 1)
    flags = ("--steps", "fold,narrow,distill", "--drop", 1, "--budget", "10m", "--json")
    done = here("compress", trained, *flags, "--out", tmp_path / "small")
    assert done.returncode == 0, done.stderr
    values = json.loads(done.stdout)
    assert "distill: " in done.stderr
    assert any(step["name"] == "distill" for step in values["steps"])
    assert sum(step["kept"] for step in values["steps"]) == 3  # the original, the fold and the result


def test_training_beyond_the_budget_is_not_started(trained, here, tmp_path):
    flags = ("--steps", "fold,narrow,distill", "--bytes", "40KB", "--budget", "0.001s")
    done = here("compress", trained, *flags, "--out", tmp_path / "small")
    assert done.returncode == 0, done.stderr
    assert "beyond --budget" in done.stderr


def test_what_the_clock_decided_about_distillation_stays_so_when_it_is_resumed(
    trained, here, tmp_path, monkeypatch
):
    flags = ("compress", trained, "--steps", "fold,narrow,distill", "--bytes", "40KB", "--budget", "10m")
    flags = (*flags, "--out", tmp_path / "small")
    with monkeypatch.context() as stopped:
        stopped.setattr(try_widths, "seconds_an_epoch", lambda *arguments: 1e6)
        stopped.setattr(run, "write_compression_page", interrupt)
        assert "beyond --budget" in here(*flags).stderr
    done = here(*flags)  # now it would fit
    assert done.returncode == 0, done.stderr
    assert "distill:" not in done.stderr


def test_an_epoch_of_a_contender_that_was_stopped_counts_for_its_share_of_the_budget(
    trained, here, tmp_path, monkeypatch
):
    flags = ("compress", trained, "--steps", "fold,scratch", "--drop", 50, "--budget", "10m", "--json")
    flags = (*flags, "--out", tmp_path / "small")
    with monkeypatch.context() as stopped:
        stopped.setattr(TrainingWatcher, "stepped", interrupt_after_an_epoch)
        assert here(*flags).returncode == 130
    (metrics,) = (tmp_path / "small" / STATE).glob("scratch-*.jsonl")
    (epoch,) = metrics.read_text().splitlines()
    metrics.write_text(json.dumps(json.loads(epoch) | {"seconds": 590.0}) + "\n")
    done = here(*flags)
    assert done.returncode == 0, done.stderr
    assert "px, 1 epochs from random weights" in done.stdout  # nothing of its share is left


def interrupt_after_an_epoch(watcher, state):
    if state.epoch:
        raise KeyboardInterrupt


def test_a_compression_that_is_stopped_before_its_report_is_completed_by_the_same_command(
    trained, here, tmp_path, monkeypatch
):
    flags = ("compress", trained, "--steps", "fold", "--drop", 5, "--out", tmp_path / "small")
    with monkeypatch.context() as stopped:
        stopped.setattr(run, "write_compression_page", interrupt)
        assert "Run the same command again to continue" in here(*flags).stderr
        assert "Run the same command again, without --new, to continue" in here(*flags, "--new").stderr
    done = here(*flags)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "small" / "report.html").is_file() and not (tmp_path / "small" / "state").exists()


def interrupt(*arguments, **names):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("steps", "limit"),
    [("fold,narrow", 9_300), ("fold,narrow,quantize", 2_500), ("fold,narrow,quantize", 3_500)],
)
def test_no_file_is_larger_than_allowed(trained, here, tmp_path, steps, limit):
    """The record of what was tried is in the file too, and 4 bits are an estimate."""
    done = here("compress", trained, "--steps", steps, "--bytes", limit, "--out", tmp_path / "small")
    name = "model.vdz" if "quantize" in steps else "model.safetensors"
    assert done.returncode == 0, done.stderr
    assert limit / 2 < (tmp_path / "small" / name).stat().st_size <= limit


def test_quantized_weights_are_a_compact_file_beside_the_checkpoint(trained, here, tmp_path):
    flags = ("--steps", "fold,quantize", "--drop", 5, "--json")
    done = here("compress", trained, *flags, "--out", tmp_path / "small")
    assert done.returncode == 0, done.stderr
    values = json.loads(done.stdout)
    assert [step["name"] for step in values["steps"]] == ["original", "fold", "quantize"]
    assert values["steps"][-1]["why"].startswith("4 layers in 3 to 6 bits; ")
    compact, checkpoint = (tmp_path / "small" / name for name in ("model.vdz", "model.safetensors"))
    assert values["after"]["bytes"] == compact.stat().st_size < values["before"]["bytes"] / 6
    one, other = checkpoint_file.load(compact), checkpoint_file.load(checkpoint)
    assert one.description == other.description
    assert all(map(torch.equal, one.model.state_dict().values(), other.model.state_dict().values()))


@pytest.mark.parametrize(("kilobytes", "is_8_bits"), [(30, True), (9, False)])
def test_a_size_is_reached_with_as_many_bits_as_fit(trained, here, tmp_path, kilobytes, is_8_bits):
    flags = ("--steps", "fold,quantize", "--bytes", f"{kilobytes}KB", "--json")
    done = here("compress", trained, *flags, "--out", tmp_path / "small")
    assert done.returncode == 0, done.stderr
    values = json.loads(done.stdout)
    assert values["after"]["bytes"] <= 1000 * kilobytes
    assert values["steps"][-1]["why"].startswith("4 layers in 8 bits; ") == is_8_bits


def test_folding_alone_keeps_the_accuracy(trained, here, tmp_path):
    done = here("compress", trained, "--steps", "fold", "--drop", 0, "--out", tmp_path / "folded", "--json")
    values = json.loads(done.stdout)
    assert [step["name"] for step in values["steps"]] == ["original", "fold"]
    assert values["steps"][1]["top1"] == values["before"]["top1"]


def test_a_checkpoint_with_unlabeled_images_is_measured_by_agreement(trained, here, tmp_path):
    (tmp_path / "photos").mkdir()
    for index, pixels in enumerate(synthetic.dataset().test.pixels[:40]):
        image = pixels.permute(1, 2, 0).squeeze(2).numpy()
        Image.fromarray(image).save(tmp_path / "photos" / f"{index}.png")
    done = here(
        "compress", trained / "model.safetensors", "--data", tmp_path / "photos", "--drop", 50, "--out",
        tmp_path / "small", "--json",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    values = json.loads(done.stdout)
    assert values["before"]["top1"] == 1 and values["test"] is None
    page = (tmp_path / "small" / "report.html").read_text(encoding="utf-8")
    check_page(page)
    assert "It predicts the class of the original for" in page
    assert "agreement with the original" in done.stderr


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--latency", "0.000001ms"), "--latency cannot be met: "),
        (("--steps", "fold,quantize", "--latency", "0.000001ms"), "--latency cannot be met: "),
        (("--steps", "fold", "--drop", "0", "--strict"), "--drop cannot be met: "),
        (("--bytes", "10"), "10 allowed. Allow more by --bytes, or take a smaller network"),
        (("--drop", "0", "--strict"), "points lost by its 95 % bound, 0 allowed. Allow a larger --drop"),
        (("--steps", "narrow"), "has batch norms, and narrow needs them folded (--steps fold,narrow)"),
        (("--drop", "1", "--bytes", "1KB"), "--drop and --bytes are given"),
    ],
)
def test_what_cannot_be_met_or_done_is_said(trained, here, tmp_path, flags, message):
    done = here("compress", trained, *flags, "--out", tmp_path / "small")
    assert done.returncode == 2
    assert message in done.stderr
    assert not (tmp_path / "small").exists()


def test_a_network_that_is_slower_by_the_clock_is_not_kept(trained, here, tmp_path, monkeypatch):
    monkeypatch.setattr(compression, "SLOWER", 0.0)
    flags = ("--steps", "fold,narrow", "--drop", 50)
    done = here("compress", trained, *flags, "--out", tmp_path / "small")
    assert done.returncode == 2
    assert "is slower than the original by the clock" in done.stderr


def test_a_folder_that_is_not_empty_is_refused(trained, here, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    done = here("compress", trained, "--out", tmp_path)
    assert done.returncode == 2 and "is not empty. Give another --out" in done.stderr


def test_a_network_that_cannot_be_narrowed_is_refused_or_only_quantized(here, tmp_path):
    save(checkpoint("8 M 8 | gap"), tmp_path / "model.safetensors")
    (tmp_path / "photos").mkdir()
    for index in range(8):
        Image.new("RGB", (16, 16), (index * 20, 9, 9)).save(tmp_path / "photos" / f"{index}.png")
    command = ("compress", tmp_path / "model.safetensors", "--data", tmp_path / "photos")
    done = here(*command, "--steps", "fold,narrow", "--out", tmp_path / "small")
    assert done.returncode == 2 and "has no layer that can be narrowed" in done.stderr
    done = here(*command, "--out", tmp_path / "small")  # integers make it smaller all the same
    assert done.returncode == 0 and "narrow: '8 M 8 | gap' has no layer" in done.stderr
    assert "accuracy +0.00 points on the 2 images" in done.stdout


@pytest.mark.slow
def test_small_networks_are_trained_from_scratch_within_the_budget(trained, here, tmp_path):
    flags = ("--steps", "fold,scratch", "--drop", 50, "--budget", "10m", "--json")
    done = here("compress", trained, *flags, "--out", tmp_path / "small")
    assert done.returncode == 0, done.stderr
    values = json.loads(done.stdout)
    scratch = [step for step in values["steps"] if step["name"] == "scratch"]
    assert scratch and "epochs from random weights" in scratch[0]["why"]
    (kept,) = (step for step in scratch if step["kept"])
    network = load(tmp_path / "small")
    assert network.model.architecture.string == kept["architecture"] == values["architecture"]
    assert not list((tmp_path / "small").glob("**/contender*"))
    evaluated = json.loads(here("evaluate", tmp_path / "small", "synthetic", "--json").stdout)
    assert evaluated["top1"] == pytest.approx(values["test"]["after"])


def test_a_network_that_reaches_the_limit_is_kept_whatever_contenders_there_are(trained, here, tmp_path):
    flags = ("--steps", "fold,narrow,scratch", "--latency", "1s", "--budget", "0.001s", "--json")
    done = here("compress", trained, *flags, "--out", tmp_path / "small")
    assert done.returncode == 0, done.stderr
    values = json.loads(done.stdout)
    assert "narrow: not needed" in done.stderr
    assert values["architecture"] == "32 M 48 M | gap 32"
    assert [step["name"] for step in values["steps"] if step["kept"]] == ["original", "fold"]


def test_what_is_not_trained_is_said(trained, here, tmp_path):
    done = here("compress", trained, "--steps", "fold,scratch", "--drop", 5, "--out", tmp_path / "small")
    assert done.returncode == 0, done.stderr
    assert "nothing is trained without --budget" in done.stderr


def test_a_network_in_groups_is_refused_before_anything_is_tried(here, tmp_path):
    save(checkpoint("8 M 16g2 | gap"), tmp_path / "model.safetensors")
    (tmp_path / "photos").mkdir()
    for index in range(8):
        Image.new("RGB", (16, 16), (index * 20, 9, 9)).save(tmp_path / "photos" / f"{index}.png")
    done = here(
        "compress", tmp_path / "model.safetensors", "--data", tmp_path / "photos", "--out", tmp_path / "small"
    )
    assert done.returncode == 2 and "convolution in 2 groups" in done.stderr
    assert not (tmp_path / "small").exists()


def test_the_size_of_the_result_is_that_of_its_file_wherever_it_stands(trained, here, tmp_path):
    for flags in (("--steps", "fold,quantize", "--drop", 50), ("--steps", "fold,narrow", "--bytes", "30KB")):
        out = tmp_path / flags[1]
        values = json.loads(here("compress", trained, *flags, "--out", out, "--json").stdout)
        file = out / ("model.vdz" if "quantize" in flags[1] else "model.safetensors")
        kept = [step for step in values["steps"] if step["kept"]][-1]
        assert kept["bytes"] == values["after"]["bytes"] == file.stat().st_size


@pytest.fixture
def photos(tmp_path):
    """Images of class folders, in the classes of ``checkpoint``."""
    for label, name in enumerate("abcd"):
        (tmp_path / "photos" / name).mkdir(parents=True)
        for index in range(10):
            image = Image.new("RGB", (16, 16), (label * 60 + index, index * 20, 99))
            image.save(tmp_path / "photos" / name / f"{index}.png")
    return tmp_path / "photos"


def test_the_result_is_evaluated_and_compressed_by_the_split_that_was_made_for_it(photos, here, tmp_path):
    save(checkpoint("32 M | gap"), tmp_path / "model.safetensors")
    flags = ("--data", photos, "--steps", "fold,quantize", "--drop", 100, "--json")
    done = here("compress", tmp_path / "model.safetensors", *flags, "--out", tmp_path / "small")
    assert done.returncode == 0, done.stderr
    assert "24 images to calibrate, 8 to decide, 8 to test" in done.stderr
    evaluated = here("evaluate", tmp_path / "small", photos, "--json")
    assert json.loads(evaluated.stdout)["top1"] == pytest.approx(json.loads(done.stdout)["test"]["after"])
    assert "8 of the 40 images of photos: the test part, as kept by the run" in evaluated.stderr
    again = here("compress", tmp_path / "small", *flags, "--seed", 5, "--out", tmp_path / "again")
    assert again.returncode == 0 and "has no test part" not in again.stderr, again.stderr
    first, second = (tmp_path / run / "split.csv" for run in ("small", "again"))
    assert first.read_bytes() == second.read_bytes()


def test_starting_over_deletes_nothing_before_network_and_images_are_read(
    photos, here, tmp_path, monkeypatch
):
    save(checkpoint("32 M | gap"), tmp_path / "model.safetensors")
    flags = ("--steps", "fold", "--drop", 100, "--out", tmp_path / "small")
    command_line = ("compress", tmp_path / "model.safetensors", "--data", photos, *flags)
    with monkeypatch.context() as stopped:
        stopped.setattr(run, "write_compression_page", interrupt)
        assert f"{tmp_path / 'small'} keeps what was measured" in here(*command_line).stderr
    journal = tmp_path / "small" / STATE / JOURNAL
    measured = journal.read_bytes()
    assert here("compress", tmp_path / "typo", "--data", photos, *flags, "--new").returncode == 2
    typo = ("compress", tmp_path / "model.safetensors", "--data", tmp_path / "typo", *flags, "--new")
    assert here(*typo).returncode == 2
    assert journal.read_bytes() == measured
    done = here(*command_line, "--new")
    assert done.returncode == 0 and "continuing after" not in done.stderr, done.stderr
    refused = here(*command_line, "--new")
    assert refused.returncode == 2 and "is not empty. Give another --out" in refused.stderr


def test_a_stop_before_the_first_measurement_promises_nothing(photos, here, tmp_path, monkeypatch):
    save(checkpoint("32 M | gap"), tmp_path / "model.safetensors")
    monkeypatch.setattr(compression.Compression, "measure", interrupt)
    done = here(
        "compress", tmp_path / "model.safetensors", "--data", photos, "--steps", "fold,quantize",
        "--budget", "none", "--out", tmp_path / "small",
    )  # fmt: skip
    assert done.returncode == 130 and "interrupted" in done.stderr
    assert "keeps what was measured" not in done.stderr and not (tmp_path / "small").exists()
    assert "24 images to calibrate" in done.stderr  # with a budget, but no step that trains
