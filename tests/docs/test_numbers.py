"""The numbers on the pages are those of the program: parameters, MACs, memory, published weights."""

import json
import re

import pytest
from safetensors import safe_open

import verydeep
from verydeep.analyze.trace import trace
from verydeep.architecture import zoo
from verydeep.architecture.preprocess import Preprocess
from verydeep.models.build import build
from verydeep.models.checkpoint import Checkpoint
from verydeep.weight_files.checkpoint_file import save
from verydeep.weights.catalog import catalog

from .pages import blocks, code, table_with, tables, text_of


def network_rows():
    return [
        pytest.param(row, id=row["network"])
        for page in ("docs/zoo.md", "docs/cost.md")
        for table in tables(page)
        if "network" in table[0]
        for row in table
    ]


@pytest.mark.parametrize("row", network_rows())
def test_the_numbers_of_a_network_are_those_of_the_program(row):
    (network,) = code(row["network"])
    traced = trace(zoo.resolve(network))
    convs = [layer for layer in traced.layers if layer.kind == "conv"]
    actual = {
        "parameters": traced.totals.parameters,
        "MACs": traced.totals.macs,
        "activations": traced.totals.activations,
        "receptive field": convs[-1].receptive_field,
        "paper, millions": round(traced.totals.parameters / 1e6),
    }
    numbers = {
        column: int(cell.replace(",", "")) for column, cell in row.items() if re.fullmatch(r"[\d,]+", cell)
    }
    numbers.pop("weights of the convolutions", None)
    assert numbers
    assert numbers == {column: actual[column] for column in numbers}
    if "architecture string" in row:
        assert code(row["architecture string"]) == [traced.architecture_string]


def test_the_zoo_page_has_every_network():
    named = [code(row["network"])[0] for table in tables("docs/zoo.md") for row in table]
    assert [network for network in named if "|" not in network] == list(zoo.names())


def test_three_3x3_against_one_7x7():  # VGG, section 2.3: 27 C^2 against 49 C^2
    table = table_with("docs/cost.md", "weights of the convolutions")
    weights = [int(row["weights of the convolutions"].replace(",", "")) for row in table]
    channels = 64
    assert weights == [27 * channels**2, 49 * channels**2]
    assert f"{1 - weights[0] / weights[1]:.0%}".replace("%", " %") in text_of("docs/cost.md")


@pytest.mark.parametrize(
    "row", [pytest.param(row, id=row["case"]) for row in table_with("docs/cost.md", "case")]
)
def test_the_memory_estimates_of_the_page_are_those_of_the_program(row):
    network, batch, optimizer, dtype = row["case"].replace("`", "").split(", ")
    estimate = verydeep.estimate_memory(zoo.resolve(network), int(batch), optimizer, dtype)
    saved, peak = estimate.activations + estimate.weight_copies, estimate.peak.bytes(int(batch))
    assert row["saved: estimated, MB"] == f"{saved / 1e6:,.1f}"
    assert row["peak: estimated, MB"] == f"{peak / 1e6:,.1f}"


def test_the_sums_of_activations_in_the_literature():
    counted = {
        row["what is counted"]: int(row["values"].replace(",", ""))
        for row in table_with("docs/cost.md", "what is counted")
    }
    layers = trace(zoo.resolve("vgg16")).layers
    image, first, third, convs, pools, dense, activations, whole, relus, gradients = counted.values()
    by_name = {layer.name: layer.activations for layer in layers}
    assert (image, first, third) == (3 * 224 * 224, by_name["conv1_1"], by_name["conv2_1"])
    for kind, count in (("conv", convs), ("pool", pools), ("fc", dense)):
        assert sum(layer.activations for layer in layers if layer.kind == kind) == count
    assert activations == convs + pools + dense == trace(zoo.resolve("vgg16")).totals.activations
    assert whole == image + activations
    assert relus == whole + convs + by_name["fc6"] + by_name["fc7"]
    assert gradients == 2 * whole
    for row in table_with("docs/cost.md", "what is counted"):
        assert row["MB"] == f"{4 * int(row['values'].replace(',', '')) / 1e6:.2f}"


def test_the_architecture_strings_in_text_blocks_are_those_of_the_zoo():
    (plain, vggs) = [block.text for block in blocks("text") if block.page == "docs/architecture-string.md"]
    for line in (plain + vggs).splitlines():
        network, _, rest = line.partition(" ")
        assert rest.endswith(zoo.resolve(network).string)


def published_rows():
    return {
        code(row["weights"])[0]: row
        for table in tables("docs/catalog.md")
        if "weights" in table[0]
        for row in table
    }


def test_every_published_file_has_a_row():
    assert list(published_rows()) == [weights.name for weights in catalog()]


@pytest.mark.parametrize("weights", [pytest.param(weights, id=weights.name) for weights in catalog()])
def test_the_row_of_a_published_file_is_that_of_the_catalog(weights):
    row, known = published_rows()[weights.name], weights.checksum
    assert ("(default)" in row["weights"]) == weights.is_default
    assert code(row["file"]) == [weights.file]
    kind, _, digest = (known.digest or "").rpartition(":")
    assert row["hash"] == (f"{kind} `{digest[:8]}`" if digest else "not stated")
    assert row["MB"] == (f"{known.size / 1e6:.1f}" if known.size else "not stated")
    is_stated = weights.top1 is not None
    assert row["top-1, top-5, %"] == (
        f"{100 * weights.top1:.2f}, {100 * weights.top5:.2f}" if is_stated else "not stated"
    )
    assert row["license"] == (weights.license or "not stated")


def test_a_checkpoint_has_the_fields_of_the_page(tmp_path):
    (block,) = blocks("json")
    shown = json.loads(block.text)
    architecture = zoo.resolve("8 M | gap").with_classes(2).with_input(1, 8)
    preprocess = Preprocess(size=8, channels=1, mean=(0.5,), std=(0.5,))
    save(Checkpoint(build(architecture), preprocess, ("a", "b")), tmp_path / "model.safetensors")
    with safe_open(tmp_path / "model.safetensors", framework="pt") as opened:
        written = json.loads(opened.metadata()["verydeep"])
    assert shown.keys() == written.keys()
    assert shown["format"] == written["format"]
    assert shown["architecture"].keys() == written["architecture"].keys()
    assert shown["preprocess"].keys() == written["preprocess"].keys()
    zoo.Architecture.from_string(shown["architecture"].pop("string"), **shown["architecture"])
    Preprocess.from_dict(shown["preprocess"])
