"""The pages say what the program does: links, commands, shown output, Python, numbers, lists."""

import ast
import contextlib
import doctest
import json
import re
import shlex
import tomllib
from dataclasses import dataclass
from pathlib import Path

import pytest
from safetensors import safe_open

import verydeep
from verydeep.analyze.trace import trace
from verydeep.architecture import zoo
from verydeep.architecture.preprocess import Preprocess
from verydeep.cli.main import app, main
from verydeep.data import builtin
from verydeep.models.build import build
from verydeep.models.checkpoint import Checkpoint
from verydeep.train.recipe import Recipe, read_recipe, recipe_names, recipe_text
from verydeep.train.run_folder import RunFolder
from verydeep.weights.catalog import catalog
from verydeep.weights.checkpoint_file import save

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("benchmarks/*.md")])
TEST_COMMAND = ".venv/bin/python -m pytest"


@dataclass(frozen=True)
class Block:
    """A fenced block of a page."""

    page: str
    language: str
    text: str


def name(page):
    return str(page.relative_to(ROOT))


def text_of(page):
    return (ROOT / page).read_text(encoding="utf-8")


def without_blocks(text):
    return re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL)


def blocks(*languages):
    return [
        Block(name(page), language, body)
        for page in PAGES
        for language, body in re.findall(
            r"^```(\w+)\n(.*?)^```$", text_of(page), flags=re.MULTILINE | re.DOTALL
        )
        if language in languages
    ]


def commands():
    """Every line of a page that begins with ``verydeep``, in a block or between backticks."""
    in_blocks = [
        (block.page, line.removeprefix("$ "))
        for block in blocks("sh", "console")
        for line in block.text.splitlines()
    ]
    in_text = [
        (name(page), code)
        for page in PAGES
        for code in re.findall(r"`([^`\n]+)`", without_blocks(text_of(page)))
    ]
    return [
        pytest.param(command, id=f"{page}: {command}")
        for page, line in [*in_blocks, *in_text]
        if (command := re.sub(r"^([A-Z_]+=\S+ )*", "", line)).startswith("verydeep ")
    ]


def tables(page):
    """The tables of a page, each a list of rows as ``{"column": "cell"}``."""
    found = re.findall(r"(?:^\|.*\|\n)+", without_blocks(text_of(page)), flags=re.MULTILINE)
    return [list(rows(table)) for table in found]


def rows(table):
    header, _, *lines = [
        [cell.strip().replace(r"\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in table.splitlines()
    ]
    return [dict(zip(header, line, strict=True)) for line in lines]


def table_with(page, column):
    return next(table for table in tables(page) if column in table[0])


def code(cell):
    return re.findall(r"`([^`]+)`", cell)


# Links and commands


def links():
    return [
        pytest.param(page, target, id=f"{name(page)}: {target}")
        for page in PAGES
        for target in re.findall(r"\]\(([^)\s]+)\)", without_blocks(text_of(page)))
        if "://" not in target
    ]


@pytest.mark.parametrize(("page", "target"), links())
def test_a_link_leads_somewhere(page, target):
    path, _, heading = target.partition("#")
    linked = (page.parent / path).resolve() if path else page
    assert linked.exists()
    if heading:
        headings = re.findall(r"^#+ (.*)$", linked.read_text(encoding="utf-8"), flags=re.MULTILINE)
        assert heading in [re.sub(r"[^\w -]", "", words.lower()).replace(" ", "-") for words in headings]


def test_every_page_is_on_the_map():
    mapped = re.findall(r"\]\(([^)]+)\)", text_of("docs/index.md"))
    assert {page.name for page in ROOT.glob("docs/*.md")} - {"index.md"} <= set(mapped)


def test_the_readme_is_short():
    assert len(text_of("README.md").splitlines()) <= 150


@pytest.mark.parametrize("command", commands())
def test_a_command_is_understood(command):
    """The verb is there, and takes these arguments: parsed, not run."""
    verb, *arguments = shlex.split(command, comments=True)[1:]
    assert verb in list(app)
    if arguments:
        app.parse_args([verb, *arguments], exit_on_error=False, print_error=False)


@pytest.mark.parametrize(
    "shown",
    [
        pytest.param(block, id=f"{block.page}: {block.text.splitlines()[0]}")
        for block in blocks("console")
        if block.text.startswith("$ verydeep show")
    ],
)
def test_what_a_page_shows_is_what_the_command_prints(shown, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    command, _, expected = shown.text.partition("\n")
    with contextlib.suppress(SystemExit):
        main(shlex.split(command)[2:])
    printed = capsys.readouterr()
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    assert doctest.OutputChecker().check_output(expected, printed.err + printed.out, flags)


def test_one_test_command_everywhere():
    assert f"\n{TEST_COMMAND}\n" in text_of("README.md")
    assert f"\n{TEST_COMMAND}\n" in text_of(".ci/run")
    assert f"\t{TEST_COMMAND} $(ARGS)\n" in text_of("Makefile")


def test_make_targets_in_the_pages_exist():
    targets = set(re.findall(r"^(\w+):.*## ", text_of("Makefile"), flags=re.MULTILINE))
    lines = [line for block in blocks("sh") for line in block.text.splitlines()]
    said = {target for line in lines for target in re.findall(r"^make (\w+)", line)}
    assert {"train", "test"} <= said <= targets


# Python


@pytest.mark.parametrize(
    "block", [pytest.param(block, id=f"{block.page} {i}") for i, block in enumerate(blocks("python"))]
)
def test_python_compiles_and_names_what_there_is(block):
    used = {
        node.attr
        for node in ast.walk(ast.parse(block.text))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "vd"
    }
    assert used <= set(verydeep.__all__)
    for statement in ast.parse(block.text).body:
        if isinstance(statement, ast.ImportFrom):
            exec(compile(ast.Module([statement], []), block.page, "exec"), {})


# Numbers and lists


def counted_rows():
    return [
        pytest.param(row, id=row["network"])
        for page in ("docs/zoo.md", "docs/cost.md")
        for table in tables(page)
        if "network" in table[0]
        for row in table
    ]


@pytest.mark.parametrize("row", counted_rows())
def test_the_numbers_of_a_network_are_the_programs(row):
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
    said = [int(row["weights of the convolutions"].replace(",", "")) for row in table]
    channels = 64
    assert said == [27 * channels**2, 49 * channels**2]
    assert f"{1 - said[0] / said[1]:.0%}".replace("%", " %") in text_of("docs/cost.md")


@pytest.mark.parametrize(
    "row", [pytest.param(row, id=row["case"]) for row in table_with("docs/cost.md", "case")]
)
def test_the_memory_estimate_of_the_page_is_the_programs(row):
    network, batch, optimizer, dtype = row["case"].replace("`", "").split(", ")
    estimate = verydeep.estimate_memory(zoo.resolve(network), int(batch), optimizer, dtype)
    saved, peak = estimate.activations + estimate.weight_copies, estimate.peak.bytes(int(batch))
    assert row["saved: estimated, MB"] == f"{saved / 1e6:,.1f}"
    assert row["peak: estimated, MB"] == f"{peak / 1e6:,.1f}"


def test_the_textbooks_totals_add_up():
    said = {
        row["what is counted"]: int(row["values"].replace(",", ""))
        for row in table_with("docs/cost.md", "what is counted")
    }
    layers = trace(zoo.resolve("vgg16")).layers
    image, first, third, convs, pools, dense, activations, whole, relus, gradients = said.values()
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


def test_architecture_strings_in_text_blocks_are_the_zoos():
    (plain, vggs) = [block.text for block in blocks("text") if block.page == "docs/architecture-string.md"]
    for line in (plain + vggs).splitlines():
        network, _, rest = line.partition(" ")
        assert rest.endswith(zoo.resolve(network).string)


def test_every_recipe_has_a_row():
    said = [code(row["recipe"])[0] for row in table_with("docs/recipes.md", "recipe")]
    assert sorted(said) == sorted(recipe_names())


@pytest.mark.parametrize(
    "row", [pytest.param(row, id=row["recipe"]) for row in table_with("docs/recipes.md", "recipe")]
)
def test_a_recipe_and_its_row_say_the_same(row):
    (recipe,) = code(row["recipe"])
    text = recipe_text(recipe)
    (network,) = code(row["network"])
    assert zoo.resolve(network).string == zoo.resolve(read_recipe(recipe).model).string
    for command in re.findall(r"^# Command: (.*)$", text, flags=re.MULTILINE):
        assert [command] == code(row["command"])


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
def test_a_published_file_and_its_row_say_the_same(weights):
    row, known = published_rows()[weights.name], weights.checksum
    assert ("(default)" in row["weights"]) == weights.is_default
    assert code(row["file"]) == [weights.file]
    kind, _, digest = (known.digest or "").rpartition(":")
    assert row["hash"] == (f"{kind} `{digest[:8]}`" if digest else "not stated")
    assert row["MB"] == (f"{known.size / 1e6:.1f}" if known.size else "not stated")
    stated = weights.top1 is not None
    assert row["top-1, top-5, %"] == (
        f"{100 * weights.top1:.2f}, {100 * weights.top5:.2f}" if stated else "not stated"
    )
    assert row["license"] == (weights.license or "not stated")


def test_every_data_set_has_a_row_and_its_files():
    said = {code(row["name"])[0]: row for row in table_with("docs/data.md", "name")}
    assert tuple(said) == builtin.NAMES
    drawn = builtin.load_dataset("synthetic")
    assert said["synthetic"]["images to train, to test"] == f"{len(drawn.train):,}, {len(drawn.test):,}"
    by_hand = {
        code(row["folder in the cache"])[0]: code(row["files"])
        for row in table_with("docs/data.md", "folder in the cache")
    }
    assert by_hand == {
        f"data/{source.name}/": [file.name for file in source.files] for source in builtin.SOURCES.values()
    }


def test_every_field_of_a_recipe_is_explained():
    said = {field for row in table_with("docs/training.md", "part") for field in code(row["part"])}
    assert said | {"epochs", "batch_size", "size"} == set(Recipe.__dataclass_fields__)


def test_the_run_folder_is_as_the_page_says():
    folder = RunFolder(Path("run"))
    places = [folder.model, folder.recipe, folder.metrics, folder.report]
    table = next(table for table in tables("docs/training.md") if "what" in table[0])
    said = [code(next(iter(row.values())))[0] for row in table]
    assert said == [*(place.name for place in places), f"{folder.state.parent.name}/"]


def test_a_checkpoint_has_the_fields_of_the_page(tmp_path):
    (block,) = blocks("json")
    said = json.loads(block.text)
    architecture = zoo.resolve("8 M | gap").with_classes(2).with_input(1, 8)
    preprocess = Preprocess(size=8, channels=1, mean=(0.5,), std=(0.5,))
    save(Checkpoint(build(architecture), preprocess, ("a", "b")), tmp_path / "model.safetensors")
    with safe_open(tmp_path / "model.safetensors", framework="pt") as opened:
        written = json.loads(opened.metadata()["verydeep"])
    assert said.keys() == written.keys()
    assert said["format"] == written["format"]
    assert said["architecture"].keys() == written["architecture"].keys()
    assert said["preprocess"].keys() == written["preprocess"].keys()
    zoo.Architecture.from_string(said["architecture"].pop("string"), **said["architecture"])
    Preprocess.from_dict(said["preprocess"])


# Dependencies


def project():
    return tomllib.loads(text_of("pyproject.toml"))["project"]


def normal(requirement):
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", requirement)[0]).lower()


def test_every_dependency_has_its_reason_and_its_place():
    table = table_with("docs/dependencies.md", "dependency")
    said = {code(row["dependency"])[0]: row["imported in"] for row in table}
    assert set(said) == {normal(requirement) for requirement in project()["dependencies"]}
    modules = {"pillow": "PIL"}
    for dependency, places in said.items():
        module = modules.get(dependency, dependency.replace("-", "_"))
        pattern = re.compile(rf"^\s*(import|from) {module}\b", re.MULTILINE)
        importing = {
            file.relative_to(ROOT / "src" / "verydeep").parts[0]
            for file in (ROOT / "src").rglob("*.py")
            if pattern.search(file.read_text(encoding="utf-8"))
        }
        assert importing, f"{dependency} is imported nowhere"
        if "above" not in places and code(places):
            assert importing == set(code(places)), dependency


def test_what_an_extra_brings_has_its_reason():
    extras = project()["optional-dependencies"]
    brought = {
        (extra, normal(item))
        for extra, items in extras.items()
        if extra not in ("test", "dev")
        for item in items
    }
    said = table_with("docs/dependencies.md", "extra")
    assert {(code(row["extra"])[0], code(row["brings"])[0]) for row in said} == brought
    for row in said:
        module = code(row["brings"])[0].replace("-", "_")
        for place in code(row["imported in"]):
            sources = (ROOT / "src" / "verydeep" / place).glob("*.py")
            pattern = re.compile(rf"^\s*(from|import) {module}\b", re.MULTILINE)
            assert any(pattern.search(source.read_text(encoding="utf-8")) for source in sources), row


def test_what_is_tested_is_pinned():
    pins = dict(
        line.split("==") for line in text_of("constraints.txt").splitlines() if not line.startswith("#")
    )
    extras = project()["optional-dependencies"].values()
    direct = {normal(item) for group in (project()["dependencies"], *extras) for item in group}
    assert direct - {"verydeep"} <= pins.keys()
    assert next(iter(pins)) == "torch"
    assert not any("+" in version for version in pins.values())
