"""What needs no torch: the list, the table, and their JSON."""

import json
import subprocess
import sys

import pytest


def test_show_prints_the_papers_total(verydeep):
    shown = verydeep("show", "vgg16")
    assert shown.returncode == 0
    assert "138,357,544" in shown.stdout and "15,470,264,320" in shown.stdout


def test_show_json_has_the_promised_form(verydeep):
    values = json.loads(verydeep("show", "D", "--json").stdout)
    assert list(values) == ["name", "line", "input", "layers", "totals"]
    assert (values["name"], values["input"]) == ("vgg16", [3, 224, 224])
    assert values["layers"][0] == {
        "name": "conv1_1", "kind": "conv", "output": [64, 224, 224], "weights": 1728, "biases": 64,
        "parameters": 1792, "macs": 86_704_128, "activations": 3_211_264, "receptive_field": 3,
    }  # fmt: skip
    assert values["totals"] == {
        "parameters": 138_357_544, "weights": 138_344_128, "macs": 15_470_264_320, "activations": 15_087_080,
    }  # fmt: skip


def test_show_takes_a_line_and_other_images(verydeep):
    values = json.loads(
        verydeep(
            "show", "64x2 M 128x2 M | gap", "--size", 32, "--channels", 1, "--classes", 10, "--json"
        ).stdout
    )
    assert values["input"] == [1, 32, 32]
    assert values["layers"][-1]["output"] == [10, 1, 1]


def test_a_changed_head_is_said_on_stderr(verydeep):
    shown = verydeep("show", "vgg16", "--size", 32, "--json")
    assert "the head is `gap` in place of `pool7 4096 4096`" in shown.stderr
    assert json.loads(shown.stdout)["line"].endswith("| gap")


def test_list_json_names_every_row_with_its_paper(verydeep):
    rows = {row["name"]: row for row in json.loads(verydeep("list", "--json").stdout)}
    assert rows["vgg16"]["totals"]["parameters"] == 138_357_544
    assert rows["vgg16"]["aliases"] == ["D"] and "1409.1556" in rows["vgg16"]["paper"]
    assert verydeep("list").stdout.count("vgg") > 10


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("show", "vgg15"), "Did you mean vgg19 or vgg16"),
        (("show", "64 Q | gap"), "token 2 of '64 Q | gap' is 'Q' (column 4)"),
        (("show", "vgg16", "--size", "20"), "needs at least 32 px"),
        (("show", "vgg16", "--siz", "20"), "Did you mean --size"),
        (("shw",), 'Did you mean "show"'),
        (("show",), "requires"),
    ],
)
def test_the_users_mistakes_exit_with_2(verydeep, arguments, said):
    failed = verydeep(*arguments)
    assert failed.returncode == 2
    assert said in " ".join(failed.stderr.split()), failed.stderr
    assert "Traceback" not in failed.stderr and not failed.stdout


@pytest.mark.parametrize("arguments", ["'show', 'resnet152'", "'list'", "'--help'", "'--version'"])
def test_torch_is_not_loaded(arguments):
    code = (
        "import sys, contextlib\nfrom verydeep.cli.main import main\n"
        f"with contextlib.suppress(SystemExit): main([{arguments}])\n"
        "assert not {'torch', 'numpy', 'pydantic', 'lightning_fabric'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.parametrize("verb", ["list", "show", "train", "evaluate", "predict", "weights", "recipes"])
def test_each_verb_has_help_with_an_example(verydeep, verb):
    helped = verydeep(verb, "--help")
    assert helped.returncode == 0
    assert f"Example: verydeep {verb}" in helped.stdout
