"""The lists on the pages are complete: recipes, their fields and choices, data sets, files, dependencies."""

import re
import tomllib
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Literal, get_args, get_origin, get_type_hints

import pytest

from verydeep.architecture import zoo
from verydeep.cli.main import app
from verydeep.data import builtin
from verydeep.explain.heat_map import METHODS
from verydeep.report.tune_page import render_tune
from verydeep.study.studies import STUDIES
from verydeep.train.balance import Balance
from verydeep.train.recipe import Recipe, read_recipe, recipe_names, recipe_text
from verydeep.train.run_folder import RunFolder
from verydeep.tune.config import WantedStrategy

from ..report.html import titles
from ..report.tunings import heat_map, tune_result
from .pages import ROOT, blocks, code, code_spans, table_with, tables, text_of

# Recipes and training


def recipe_rows():
    return [
        pytest.param(row, id=row["recipe"])
        for table in tables("docs/recipes.md")
        if "recipe" in table[0]
        for row in table
    ]


def test_every_recipe_has_a_row():
    named = [code(parameter.values[0]["recipe"])[0] for parameter in recipe_rows()]
    assert sorted(named) == sorted(recipe_names())


@pytest.mark.parametrize("row", recipe_rows())
def test_the_row_of_a_recipe_is_that_of_its_file(row):
    (recipe,) = code(row["recipe"])
    networks, model = code(row["network"]), read_recipe(recipe).model
    if model is not None:
        assert zoo.resolve(networks[0]).string == zoo.resolve(model).string
    (command,) = re.findall(r"^# Command: (.*)$", recipe_text(recipe), flags=re.MULTILINE)
    assert code(row["command"]) == [command]


def recipe_fields(config, prefix=""):
    """Every field of a configuration with its type, nested ones as ``optimizer.lr``."""
    hints = get_type_hints(config)
    for item in fields(config):
        if is_dataclass(hints[item.name]):
            yield from recipe_fields(hints[item.name], f"{prefix}{item.name}.")
        else:
            yield prefix + item.name, hints[item.name]


def test_every_field_of_a_recipe_is_in_a_table():
    named = {
        field
        for table in tables("docs/training.md")
        if "field" in table[0]
        for row in table
        for field in code(row["field"])
    }
    assert named - {"optimizer", "schedule", "augment"} == {field for field, _ in recipe_fields(Recipe)}


def choices(hint):
    """The texts that a type allows by name, also as one member of a union."""
    if get_origin(hint) is Literal:
        return {choice for choice in get_args(hint) if isinstance(choice, str)}
    return {choice for member in get_args(hint) for choice in choices(member)}


@pytest.mark.parametrize(("field", "hint"), [each for each in recipe_fields(Recipe) if choices(each[1])])
def test_every_choice_of_a_field_is_on_the_page(field, hint):
    assert choices(hint) <= set(code_spans("docs/training.md"))


def test_every_strategy_is_in_the_table():
    table = table_with("docs/tune.md", "`--strategy`")
    assert {code(row["`--strategy`"])[0] for row in table} == set(get_args(WantedStrategy))


def test_every_balance_method_is_in_the_table():
    table = table_with("docs/training.md", "`--balance`")
    assert {code(row["`--balance`"])[0] for row in table} == set(get_args(Balance)) - {"auto"}


def test_the_run_folder_of_a_training_has_the_files_of_the_page():
    folder = RunFolder(Path("run"))
    files = [folder.model, folder.recipe, folder.metrics, folder.report, folder.split]
    table = table_with("docs/training.md", "in `runs/fast-fashion-mnist/`")
    named = [code(next(iter(row.values())))[0] for row in table]
    assert named == [*(file.name for file in files), f"{folder.state.parent.name}/"]


def test_the_run_folder_of_tune_has_the_files_of_the_page():
    folder = RunFolder(Path("run"))
    files = [folder.model, folder.report, folder.doubtful_labels, folder.tune, folder.split]
    metrics = [folder.metrics_of(strategy) for strategy in ("fine-tune", "scratch")]
    named = [name for row in table_with("docs/tune.md", "file") for name in code(row["file"])]
    assert named == [file.name for file in (*files, *metrics)]


def test_every_section_of_the_report_is_on_its_page(tmp_path):
    page = render_tune(tune_result(tmp_path), command="verydeep tune pets", heat_maps=(heat_map("cat.jpg"),))
    sections = [row["section"] for row in table_with("docs/report.md", "section")]
    assert titles(page) == sections[1:]


# Data sets, studies, methods, commands


def test_every_data_set_has_a_row_and_its_files():
    named = {code(row["name"])[0]: row for row in table_with("docs/data.md", "name")}
    assert tuple(named) == builtin.NAMES
    synthetic = builtin.load_dataset("synthetic")
    counts = f"{len(synthetic.train):,}, {len(synthetic.test):,}"
    assert named["synthetic"]["images to train, to test"] == counts
    manual = {
        code(row["folder in the cache"])[0]: code(row["files"])
        for row in table_with("docs/data.md", "folder in the cache")
    }
    assert manual == {
        f"data/{source.name}/": [file.name for file in source.files] for source in builtin.SOURCES.values()
    }


def test_every_study_has_a_row():
    assert [code(row["study"])[0] for row in table_with("docs/studies.md", "question")] == list(STUDIES)


def test_every_study_in_a_command_exists():
    lines = [line for block in blocks("sh", "console") for line in block.text.splitlines()]
    named = {match[1] for line in lines if (match := re.match(r"(?:\$ )?verydeep study (\w+)", line))}
    assert named and named <= STUDIES.keys()


@pytest.mark.parametrize(("command", "names"), [("train", builtin.NAMES), ("study", STUDIES)])
def test_the_help_of_a_command_lists_what_it_takes(command, names):
    first = next(iter(app[command].assemble_argument_collection(parse_docstring=True)))
    assert set(names) <= set(re.findall(r"[\w-]+", first.parameter.help))


def test_every_heat_map_method_has_a_row():
    table = table_with("docs/explain.md", "`--method`")
    assert tuple(code(row["`--method`"])[0] for row in table) == METHODS


@pytest.mark.parametrize("command", [command for command in app if not command.startswith("-")])
def test_every_command_is_on_a_page(command):
    pages = "\n".join(page.read_text(encoding="utf-8") for page in ROOT.glob("docs/*.md"))
    assert re.search(rf"verydeep {command}\b", pages)


# Dependencies


def project():
    return tomllib.loads(text_of("pyproject.toml"))["project"]


def distribution(requirement):
    return re.sub(r"[-_.]+", "-", re.match(r"[\w.-]+", requirement)[0]).lower()


MODULES = {"pillow": "PIL", "opencv-python-headless": "cv2"}
"""The modules of distributions, where the name is another."""


def imports(place, module):
    """Whether a file of ``place`` imports ``module``, or names it to a function that does."""
    pattern = re.compile(
        rf"^\s*(import|from) {module}\b|(import_module|import_runtime|find_spec|_import)\(\"{module}[\".]",
        re.MULTILINE,
    )
    files = place.rglob("*.py") if place.is_dir() else [place]
    return any(pattern.search(file.read_text(encoding="utf-8")) for file in files)


def test_every_dependency_has_its_reason_and_the_packages_that_import_it():
    table = table_with("docs/dependencies.md", "dependency")
    named = {code(row["dependency"])[0]: row["imported in"] for row in table}
    assert set(named) == {distribution(requirement) for requirement in project()["dependencies"]}
    for dependency, packages in named.items():
        module = MODULES.get(dependency, dependency.replace("-", "_"))
        importing = {each.name for each in (ROOT / "src/verydeep").iterdir() if imports(each, module)}
        assert importing, f"{dependency} is imported nowhere"
        if "above" not in packages and code(packages):
            assert importing == set(code(packages)), dependency


def test_every_dependency_of_an_extra_has_its_reason():
    extras = project()["optional-dependencies"]
    brought = {
        (extra, distribution(item))
        for extra, items in extras.items()
        if extra not in ("test", "dev")
        for item in items
    }
    table = table_with("docs/dependencies.md", "extra")
    assert {(code(row["extra"])[0], code(row["brings"])[0]) for row in table} == brought
    for row in table:
        module = MODULES.get(brings := code(row["brings"])[0], brings.replace("-", "_"))
        for package in code(row["imported in"]):
            assert imports(ROOT / "src/verydeep" / package, module), row


def test_every_tested_dependency_is_pinned():
    pins = dict(
        line.split("==") for line in text_of("constraints.txt").splitlines() if not line.startswith("#")
    )
    extras = project()["optional-dependencies"].values()
    direct = {distribution(item) for group in (project()["dependencies"], *extras) for item in group}
    assert direct - {"verydeep"} <= pins.keys()
    assert next(iter(pins)) == "torch"
    assert not any("+" in version for version in pins.values())


# Where the code is


def test_what_contributing_names_is_defined_where_it_says():
    named = re.findall(r"`(\w+)`\s+(?:in|of)\s+(?:both\s+)?`(src/[\w/]+\.py)`", text_of("CONTRIBUTING.md"))
    assert len(named) > 9
    for name, file in named:  # at the top level: what another file imports from there is not meant
        assert re.search(rf"^(?:def |class )?{name}\b", text_of(file), flags=re.MULTILINE), (name, file)


def test_the_map_of_the_code_has_every_folder():
    rows = table_with("README.md", "folder")
    mapped = {folder for row in rows for folder in re.findall(r"`(\w+)/`", row["folder"])}
    package = ROOT / "src/verydeep"
    assert mapped == {file.parent.name for file in package.glob("*/*") if file.suffix == ".py"}
