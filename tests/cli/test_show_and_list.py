"""``show``, ``list`` and ``compare``, which need no torch: tables, JSON, errors."""

import json
import subprocess
import sys

import pytest


def test_show_prints_the_papers_total(verydeep):
    shown = verydeep("show", "vgg16")
    assert shown.returncode == 0
    assert "138,357,544" in shown.stdout and "15,470,264,320" in shown.stdout


def test_show_json_has_the_documented_keys(here):
    values = json.loads(here("show", "D", "--json").stdout)
    assert list(values) == ["name", "architecture_string", "input", "layers", "totals"]
    assert (values["name"], values["input"]) == ("vgg16", [3, 224, 224])
    assert values["layers"][0] == {
        "name": "conv1_1", "kind": "conv", "output": [64, 224, 224], "weights": 1728, "biases": 64,
        "parameters": 1792, "macs": 86_704_128, "activations": 3_211_264, "receptive_field": 3,
    }  # fmt: skip
    assert values["totals"] == {
        "parameters": 138_357_544, "weights": 138_344_128, "macs": 15_470_264_320, "activations": 15_087_080,
    }  # fmt: skip


def test_show_accepts_an_architecture_string_and_other_images(here):
    values = json.loads(
        here("show", "64x2 M 128x2 M | gap", "--size", 32, "--channels", 1, "--classes", 10, "--json").stdout
    )
    assert values["input"] == [1, 32, 32]
    assert values["layers"][-1]["output"] == [10, 1, 1]


def test_a_changed_head_is_a_note_on_stderr(here):
    shown = here("show", "vgg16", "--size", 32, "--json")
    assert "the head is `gap` instead of `pool7 4096 4096`" in shown.stderr
    assert json.loads(shown.stdout)["architecture_string"].endswith("| gap")


def test_show_estimates_training_memory(here):
    shown = " ".join(here("show", "vgg16", "--batch", 64, "--memory", 10).stdout.split())
    assert "training · batch 64 · sgd · fp32" in shown and "fits in 10 GB" in shown
    assert "A MAC" not in shown and "Saved are the bytes" in shown


@pytest.mark.parametrize(
    ("given", "size"),
    [("24GB", 24e9), ("24", 24e9), ("22.5 gib", 22.5 * 2**30), ("800MB", 8e8), ("1t", 1e12)],
)
def test_memory_has_a_unit_or_is_in_gb(here, given, size):
    shown = here("show", "vgg-tiny", "--memory", given, "--json")
    assert json.loads(shown.stdout)["memory"]["memory_limit"] == size


@pytest.mark.parametrize(
    "given", ["nan", "inf", "-3", "0", "0.0GB", "1e300", "9" * 400, "24,5", "x", "24XB", ""]
)
def test_an_amount_of_memory_that_is_none_is_an_error(here, given):
    shown = here("show", "vgg-tiny", f"--memory={given}")
    assert shown.returncode == 2 and "expected an amount such as 24GB" in " ".join(shown.stderr.split())


def test_the_column_saved_implies_the_estimate(here):
    shown = here("show", "vgg-tiny", "--columns", "saved", "--csv").stdout
    assert shown.startswith("layer,saved\ninput,")


def test_show_json_has_memory_only_with_a_flag_of_training(here):
    values = json.loads(here("show", "vgg16", "--training", "--dtype", "bf16", "--json").stdout)
    assert list(values) == ["name", "architecture_string", "input", "layers", "totals", "memory"]
    memory = values["memory"]
    assert memory["weights"] == 4 * 138_357_544 and memory["batch"] == 32 and memory["dtype"] == "bf16"
    assert memory["memory_limit"] == 24 * 10**9
    assert (
        sum(layer["saved"] for layer in memory["layers"]) == memory["activations"] + memory["weight_copies"]
    )


def test_show_as_csv_markdown_and_keras(here):
    assert here("show", "vgg11", "--csv", "--columns", "macs").stdout.startswith("layer,macs\nconv1_1,")
    assert here("show", "vgg11", "--markdown").stdout.startswith("| layer | output | receptive field |")
    assert here("show", "vgg11", "--csv").stdout.startswith("layer,output,receptive_field,parameters,")
    assert "block1_conv1 (Conv2D)" in here("show", "vgg16", "--style", "keras").stdout


def test_show_writes_a_plot_and_a_diagram(verydeep, tmp_path):
    shown = verydeep("show", "vgg-tiny", "--plot", "p.png", "--diagram", "d.svg", "--json", cwd=tmp_path)
    assert (tmp_path / "p.png").exists() and (tmp_path / "d.svg").exists()
    assert shown.stderr == "Wrote p.png\nWrote d.svg\n" and json.loads(shown.stdout)


def test_why_3x3(here):
    rows = json.loads(here("show", "--why-3x3", "--channels", 128, "--json").stdout)
    assert [row["weights"] for row in rows] == [factor * 128**2 for factor in (25, 18, 49, 27)]
    assert "45%" in here("show", "--why-3x3").stdout


def test_compare(verydeep, tmp_path):
    compared = verydeep("compare", "vgg16", "64 M | gap", "--json", "--plot", "c.svg", cwd=tmp_path)
    rows = json.loads(compared.stdout)
    assert rows[0]["depth"] == 16 and rows[0]["published"][0]["top1"] == 71.592
    assert rows[1]["published"] == [] and (tmp_path / "c.svg").exists()
    assert "71.59" in verydeep("compare", "vgg16", "vgg19").stdout


def test_list_json_has_every_row_with_its_paper(verydeep):
    rows = {row["name"]: row for row in json.loads(verydeep("list", "--json").stdout)}
    assert rows["vgg16"]["totals"]["parameters"] == 138_357_544
    assert rows["vgg16"]["aliases"] == ["D"] and "1409.1556" in rows["vgg16"]["paper"]
    assert verydeep("list").stdout.count("vgg") > 10


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("show", "vgg15"), "Did you mean vgg19 or vgg16"),
        (("show", "64 Q | gap"), "token 2 of '64 Q | gap' is 'Q' (column 4)"),
        (("show", "vgg16", "--size", "20"), "needs at least 32 x 32 px"),
        (("show", "vgg16", "--siz", "20"), "Did you mean --size"),
        (("shw",), 'Did you mean "show"'),
        (("show",), "requires"),
        (("compare",), "requires"),
        (("show", "vgg16", "--columns", "flops"), "there is no column 'flops'; expected some of layer"),
        (("show", "vgg16", "--batch", "0"), "at least one image, 0 given"),
        (("show", "vgg16", "--json", "--csv"), "expected one of --json and --csv, not both"),
        (("show", "vgg16", "--diagram", "d.png"), "use d.svg"),
        (("compare", "vgg16", "--plot", "c.pdf"), "use c.png"),
        (("show", "vgg16", "--why-3x3"), "--why-3x3 has no use for the network vgg16; leave one of them out"),
        (("show", "--why-3x3", "--size", "32"), "no use for --size"),
        (("show", "--why-3x3", "--classes", "2"), "no use for --classes"),
        (("show", "--why-3x3", "--norm"), "no use for --norm"),
        (("show", "--why-3x3", "--training"), "no use for --training"),
        (("show", "--why-3x3", "--columns", "macs"), "no use for --columns"),
        (("show", "--why-3x3", "--style", "keras"), "no use for --style keras"),
        (("show", "--why-3x3", "--plot", "p.png"), "no use for --plot"),
        (("show", "--why-3x3", "--diagram", "d.svg"), "no use for --diagram"),
        (("show", "vgg16", "--style", "keras", "--batch", "8"), "--style keras has no use for --training"),
        (("show", "vgg16", "--style", "keras", "--columns", "macs"), "no use for --columns"),
        (("show", "vgg16", "--style", "keras", "--json"), "no use for --json"),
        (("show", "vgg16", "--style", "keras", "--csv"), "no use for --csv"),
        (("show", "vgg16", "--style", "keras", "--markdown"), "no use for --markdown"),
    ],
)
def test_usage_errors_exit_with_2(here, arguments, message):
    failed = here(*arguments)
    assert failed.returncode == 2
    assert message in " ".join(failed.stderr.replace("│", "").split()), failed.stderr
    assert "Traceback" not in failed.stderr and not failed.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    "arguments",
    [
        "'show', 'resnet152', '--training'",
        "'compare', 'vgg16'",
        "'list'",
        "'weights', 'list'",
        "'--help'",
        "'--version'",
        "'shw'",
    ],
)
def test_torch_is_not_imported(arguments):
    code = (
        "import sys, contextlib\nfrom verydeep.cli.main import main\n"
        f"with contextlib.suppress(SystemExit): main([{arguments}])\n"
        "heavy = {'torch', 'numpy', 'pydantic', 'lightning_fabric', 'matplotlib', 'jinja2'}\n"
        "assert not heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
