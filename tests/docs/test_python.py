"""The Python on the pages compiles, and the names that it uses exist; so do the arguments of benchmarks."""

import argparse
import ast
import importlib.util
import pkgutil
import re
import shlex
import sys

import pytest

import verydeep
from verydeep.runtime.bundle import DESCRIPTION

from .pages import HISTORY, PAGES, ROOT, blocks, code_spans, name


@pytest.mark.parametrize(
    "block", [pytest.param(block, id=f"{block.page} {i}") for i, block in enumerate(blocks("python"))]
)
def test_python_compiles_and_its_imports_exist(block):
    tree = ast.parse(block.text)
    used = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "vd"
    }
    assert used <= set(verydeep.__all__)
    for statement in tree.body:
        if isinstance(statement, ast.ImportFrom):
            exec(compile(ast.Module([statement], []), block.page, "exec"), {})


def dotted_names():
    """Names such as ``verydeep.weights.hub`` and ``vd.fit(...)`` in the text of the pages."""
    return [
        pytest.param(match[0].replace("vd.", "verydeep.", 1), id=f"{name(page)}: {match[0]}")
        for page in PAGES
        if name(page) not in HISTORY
        for span in dict.fromkeys(code_spans(name(page)))
        if span != DESCRIPTION and (match := re.match(r"(verydeep|vd)(\.\w+)+", span))
    ]


@pytest.mark.parametrize("dotted", dotted_names())
def test_a_dotted_name_exists(dotted):
    pkgutil.resolve_name(dotted)


def benchmark_commands():
    return [
        line.removeprefix("sudo ").split()[1:]
        for block in blocks("sh")
        for line in block.text.splitlines()
        if line.removeprefix("sudo ").startswith(".venv/bin/python benchmarks/")
    ]


@pytest.mark.parametrize("arguments", benchmark_commands(), ids=" ".join)
def test_a_benchmark_imports_and_accepts_the_arguments(arguments, monkeypatch):
    """It is stopped after its arguments are parsed."""

    class Parsed(Exception):
        pass

    def parse_only(parser, *_):
        parse(parser)
        raise Parsed

    script, *rest = shlex.split(" ".join(arguments))
    parse = argparse.ArgumentParser.parse_args
    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_only)
    monkeypatch.setattr(sys, "argv", [script, *rest])
    monkeypatch.syspath_prepend(ROOT / "benchmarks")  # as Python does for a script
    spec = importlib.util.spec_from_file_location(script.replace("/", "_"), ROOT / script)
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, spec.name, module)
    spec.loader.exec_module(module)
    with pytest.raises(Parsed):
        module.main()


def test_the_readme_of_benchmarks_has_every_script():
    scripts = {script.name for script in ROOT.glob("benchmarks/*.py")}
    assert {arguments[0].removeprefix("benchmarks/") for arguments in benchmark_commands()} == scripts
    assert scripts <= set(code_spans("benchmarks/README.md"))
