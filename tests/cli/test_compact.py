"""Every command reads a compact file as the checkpoint with the same tensors, and refuses a damaged one."""

import json

import pytest

from verydeep.compress.layer_inputs import weight_matrix, weighted_layers
from verydeep.compress.steps.gptq import rounded
from verydeep.saved_runs.saved_run import read_run
from verydeep.weight_files.checkpoint_file import compact_bytes, load, save


@pytest.fixture(scope="module")
def files(trained, tmp_path_factory):
    """A folder with one network in 4-bit integers as ``model.safetensors`` and as ``model.vdz``."""
    folder = tmp_path_factory.mktemp("compact")
    network = load(trained)
    for layer in weighted_layers(network.model).values():
        layer.weight.data = rounded(weight_matrix(layer), 4).weights.view_as(layer.weight)
    save(network, folder / "model.safetensors")
    save(network, folder / "model.vdz")
    assert compact_bytes(network) == (folder / "model.vdz").stat().st_size
    return folder


@pytest.fixture
def photo(shapes):
    return next(shapes.glob("*/*.png"))


@pytest.mark.parametrize(
    "arguments",
    [
        ("predict", "{model}", "{photo}", "--json"),
        ("evaluate", "{model}", "synthetic", "--json"),
    ],
)
def test_a_command_prints_the_same(here, files, photo, shapes, arguments):
    def answer(name):
        values = {"model": files / name, "photo": photo, "shapes": shapes}
        done = here(*(text.format(**values) for text in arguments))
        assert done.returncode in (0, 1), done.stderr
        return done.stdout.replace(str(files / name), "model")

    assert answer("model.vdz") == answer("model.safetensors")


@pytest.mark.parametrize(
    ("arguments", "written"),
    [
        (("embed", "{vdz}", "{shapes}", "--out", "vectors.npz"), "vectors.npz"),
        (("explain", "{vdz}", "{photo}", "--out", "heat.png"), "heat.png"),
        (("weights", "import", "{vdz}", "--out", "wide.safetensors"), "wide.safetensors"),
        (("weights", "import", "{wide}", "--out", "small.vdz"), "small.vdz"),
    ],
)
def test_a_command_writes_what_it_is_asked_for(here, files, photo, shapes, tmp_path, arguments, written):
    wide, vdz = files / "model.safetensors", files / "model.vdz"
    paths = {"vdz": vdz, "wide": wide, "photo": photo, "shapes": shapes}
    done = here(*(text.format(**paths) for text in arguments), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / written).exists()


def test_weights_show_says_what_is_in_it(here, files):
    values = json.loads(here("weights", "show", files / "model.vdz", "--json").stdout)
    assert (values["format"], values["architecture_string"]) == ("verydeep", "8 M 16 M | gap")
    assert values["preprocess_source"] == "the metadata of the file"


def test_training_starts_from_it(here, files, tmp_path):
    flags = ("--epochs", 1, "--precision", "fp32", "--freeze", "all", "--out", tmp_path / "run")
    done = here("train", "synthetic", "--weights", files / "model.vdz", *flags)
    assert done.returncode == 0, done.stderr


def test_a_run_whose_checkpoint_is_the_compact_file_is_listed(trained, files, tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    for name in ("recipe.toml", "metrics.jsonl"):
        (run / name).write_bytes((trained / name).read_bytes())
    (run / "model.vdz").write_bytes((files / "model.vdz").read_bytes())
    found = read_run(run)
    assert (found.network, found.test_top1) == ("8 M 16 M | gap", read_run(trained).test_top1)


@pytest.mark.parametrize(
    "arguments",
    [
        ("predict", "{vdz}", "{photo}"),
        ("explain", "{vdz}", "{photo}"),
        ("evaluate", "{vdz}", "synthetic"),
        ("embed", "{vdz}", "{photo}"),
        ("export", "{vdz}", "--to", "torch"),
        ("serve", "{vdz}"),
        ("bench", "{vdz}"),
        ("tune", "{shapes}", "--weights", "{vdz}"),
        ("weights", "show", "{vdz}"),
    ],
)
def test_a_damaged_file_is_one_message_and_exit_code_2(here, files, photo, shapes, tmp_path, arguments):
    damaged = tmp_path / "model.vdz"
    damaged.write_bytes((files / "model.vdz").read_bytes()[:-20])
    paths = {"vdz": damaged, "photo": photo, "shapes": shapes}
    failed = here(*(text.format(**paths) for text in arguments), cwd=tmp_path)
    assert failed.returncode == 2
    assert "is a compact file that is broken or truncated" in " ".join(failed.stderr.split())
    assert "Traceback" not in failed.stderr
