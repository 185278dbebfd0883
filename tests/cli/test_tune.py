"""``tune`` as a user meets it: a folder, a network, the strategies, tune.toml, and the messages."""

import json
import tomllib

import pytest
import torch

from verydeep.weight_files.checkpoint_file import load

QUICK = ("--budget", "none", "--fine-tune.epochs", 2, "--scratch.epochs", 2)
"""Two epochs of each training; without a budget, so that nothing depends on the clock."""
FAST = ("--fine-tune.optimizer.lr", "0.01", "--fine-tune.keep", "last", "--fine-tune.precision", "fp32")
"""Fine-tuning that changes every weight visibly."""


@pytest.fixture
def tune(here, shapes, tiny):
    """Tunes the tiny network on the shapes."""

    def run(*flags, cwd=None):
        return here("tune", shapes, "--weights", tiny, *flags, cwd=cwd)

    return run


def test_a_folder_becomes_a_run_that_predicts(tune, here, shapes, tmp_path):
    done = tune(cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    printed = " ".join(done.stdout.split())
    assert "Balanced accuracy" in printed and "on 12 test images" in printed
    assert "chosen: linear-probe; fine-tuning was skipped: 38 training images are too few for it" in printed
    assert "Report: runs/tune-shapes/report.html" in printed
    assert "train 48, test 12; resized to 16 px, the size that the weights were trained on" in done.stderr
    assert "Warning: The names look like groups" in done.stderr
    run = tmp_path / "runs" / "tune-shapes"
    assert sorted(path.name for path in run.iterdir()) == [
        "doubtful-labels.csv", "model.safetensors", "report.html", "split.csv", "tune.toml",
    ]  # fmt: skip
    predicted = json.loads(here("predict", run, shapes / "circle", "--json").stdout)
    assert len(predicted) == 30 and {row["label"] for row in predicted} <= {"circle", "square"}


def test_the_json_is_all_of_stdout_and_has_the_documented_keys(tune, tmp_path):
    done = tune("--strategy", "linear-probe", "--json", "--out", "again", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    values = json.loads(done.stdout)
    assert list(values) == [
        "run", "model", "architecture_string", "size", "fit", "fit_reason", "head", "head_reason", "weights",
        "weights_reason", "chosen", "reason", "test",
        "strategies", "l2", "temperature", "calibration", "changes", "comparison", "broken", "skipped",
        "notes", "warnings", "seconds",
    ]  # fmt: skip
    assert (values["run"], values["chosen"], values["test"]["images"]) == ("again", "linear-probe", 12)
    (probe,) = values["strategies"]
    assert list(probe) == [
        "strategy", "validation", "test", "seconds", "forecast_seconds", "epochs", "best_epoch", "note",
    ]  # fmt: skip
    assert (tmp_path / "again" / "model.safetensors").exists()


@pytest.mark.parametrize(
    ("strategy", "run", "metrics"),
    [
        ("linear-probe", ["linear-probe"], []),
        ("fine-tune", ["linear-probe", "fine-tune"], ["metrics-fine-tune.jsonl"]),
        ("scratch", ["scratch"], ["metrics-scratch.jsonl"]),
        (
            "compare",
            ["linear-probe", "fine-tune", "scratch"],
            ["metrics-fine-tune.jsonl", "metrics-scratch.jsonl"],
        ),
        ("auto", ["linear-probe", "fine-tune"], []),  # fine-tuning is skipped: there are few images
    ],
)
def test_each_strategy_is_run_and_evaluates_to_its_test_accuracy(
    tune, here, shapes, tmp_path, strategy, run, metrics
):
    done = tune("--strategy", strategy, *QUICK, "--json", "--out", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    values = json.loads(done.stdout)
    assert [each["strategy"] for each in values["strategies"]] == run
    assert values["chosen"] in run and (strategy not in run or values["chosen"] == strategy)
    assert sorted(path.name for path in (tmp_path / "run").glob("metrics*")) == metrics
    for name in metrics:
        assert len((tmp_path / "run" / name).read_text().splitlines()) == 2
    evaluated = json.loads(here("evaluate", tmp_path / "run", shapes, "--part", "test", "--json").stdout)
    assert (evaluated["images"], evaluated["top1"]) == (12, values["test"]["top1"])
    assert (evaluated["temperature"] or 1.0) == pytest.approx(values["temperature"])


@pytest.mark.slow
def test_scratch_needs_a_network_and_no_weights(here, shapes, tmp_path):
    flags = ("--model", "8 M 16 M | gap", "--size", 16, "--scratch.norm", "batch", "--scratch.init", "glorot")
    done = here("tune", shapes, "--strategy", "scratch", *flags, *QUICK, "--out", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    architecture = load(tmp_path / "run").model.architecture
    assert (architecture.string, architecture.norm) == ("8 M 16 M | gap", "batch")
    settings = tomllib.loads((tmp_path / "run" / "tune.toml").read_text())["scratch"]
    assert (settings["epochs"], settings["init"], settings["norm"]) == (2, "glorot", "batch")


def test_flags_of_fine_tuning_come_before_its_recipe(tune, tiny, tmp_path):
    done = tune("--strategy", "fine-tune", *QUICK, *FAST, "--fine-tune.freeze", 1, "--out", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    settings = tomllib.loads((tmp_path / "run" / "tune.toml").read_text())
    assert (settings["fine_tune"]["epochs"], settings["fine_tune"]["freeze"]) == (2, 1)
    assert settings["fine_tune"]["optimizer"]["lr"] == 0.01
    assert settings["fine_tune"]["optimizer"]["weight_decay"] == 1e-3  # of fine-tune.toml
    before, after = (load(path).model.state_dict() for path in (tiny, tmp_path / "run"))
    assert torch.equal(before["features.0.weight"], after["features.0.weight"])  # frozen, bit by bit
    assert not torch.equal(before["features.4.weight"], after["features.4.weight"])


@pytest.mark.parametrize("strategy", ["linear-probe", "fine-tune", "scratch"])
def test_the_tune_toml_of_a_run_repeats_it_to_the_same_bits(tune, here, shapes, tmp_path, strategy):
    first = tune("--strategy", strategy, *QUICK, *FAST, "--out", tmp_path / "first")
    assert first.returncode == 0, first.stderr
    recipe = tmp_path / "first" / "tune.toml"
    again = here("tune", shapes, "--recipe", recipe, "--out", tmp_path / "again")
    assert again.returncode == 0, again.stderr
    tensors, same = (load(tmp_path / name).model.state_dict() for name in ("first", "again"))
    assert tensors.keys() == same.keys()
    assert all(torch.equal(tensor, same[name]) for name, tensor in tensors.items())
    assert (tmp_path / "again" / "tune.toml").read_text() == recipe.read_text()
    assert (tmp_path / "again" / "split.csv").read_text() == (tmp_path / "first" / "split.csv").read_text()


def test_a_flag_comes_before_tune_toml(tune, here, shapes, tmp_path):
    assert tune("--strategy", "linear-probe", "--out", tmp_path / "first").returncode == 0
    flags = ("--recipe", tmp_path / "first" / "tune.toml", "--l2", "3", "--json", "--out", tmp_path / "again")
    done = here("tune", shapes, *flags)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["l2"] == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('stategy = "auto"', "there is no key stategy, did you mean strategy?"),
        ("[fine_tune]\nepoch = 3", "there is no key fine_tune.epoch, did you mean epochs?"),
        ("[fine_tune]\nseed = 3", "seed is in the table [fine_tune]; set it at the top"),
        ("[scratch]\nfreeze = 1", "freeze is in the table [scratch], where it has no use; remove it"),
        ('budget = "soon"', "budget is 'soon'; expected a time with its unit"),
        ("strategy = compare", "is not TOML"),
    ],
)
def test_a_wrong_tune_toml_is_refused_with_the_key(tune, tmp_path, text, message):
    (tmp_path / "mine.toml").write_text(text)
    failed = tune("--recipe", "mine.toml", cwd=tmp_path)
    assert failed.returncode == 2 and message in failed.stderr and "mine.toml" in failed.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["mine.toml"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nowhere", "--weights", "TINY"), "nowhere is not a folder"),
        (("SHAPES", "--model", "vgg8b"), "no published weights are known for it"),
        (("SHAPES", "--strategy", "scratch"), "needs --model for the network"),
        (("SHAPES", "--strategy", "frozen"), '"linear-probe", "fine-tune", "scratch", "compare"'),
        (("SHAPES", "--weights", "TINY", "--budget", "5"), "expected a time with its unit: 5s, 5m or 5h"),
        (("SHAPES", "--weights", "TINY", "--budget", "soon"), "budget is 'soon'; expected a time"),
        (("SHAPES", "--weights", "TINY", "--fine-tune.epochs", "0"), "fine_tune.epochs is 0: input should"),
        (("SHAPES", "--weights", "TINY", "--epochs", "1"), "mean --fine-tune.epochs or --scratch.epochs?"),
        (("SHAPES", "--weights", "TINY", "--freeze", "1"), "--freeze. Did you mean --fine-tune.freeze?"),
        (("SHAPES", "--weights", "TINY", "--scratch.freeze", "1"), "Unknown option: --scratch.freeze"),
        (("SHAPES", "--weights", "TINY", "--fine-tune.norm", "batch"), "Unknown option: --fine-tune.norm"),
        (("SHAPES", "--weights", "TINY", "--l2", "0"), "l2 is 0.0: input should be greater than 0"),
        (("SHAPES", "--weights", "TINY", "--head", "relu9_9"), "expected gap, whole, or a layer of tiny-gap"),
        (("SHAPES", "--weights", "vgg61"), "Did you mean vgg1"),
        (("SHAPES", "--recipe", "nothing.toml"), "there is no file nothing.toml"),
    ],
)
def test_usage_errors_exit_with_2_and_write_nothing(here, shapes, tiny, tmp_path, arguments, message):
    given = [text.replace("SHAPES", str(shapes)).replace("TINY", str(tiny)) for text in arguments]
    failed = here("tune", *given, cwd=tmp_path)
    assert failed.returncode == 2, failed.stderr
    assert message in " ".join(failed.stderr.replace("│", "").split())
    assert "Traceback" not in failed.stderr and not list(tmp_path.iterdir())
