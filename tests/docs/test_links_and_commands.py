"""Links, files, commands and flags of the pages exist, and commands print what the pages show."""

import contextlib
import doctest
import re
import shlex

import pytest

from verydeep.cli.main import app, main

from .pages import HISTORY, PAGES, ROOT, blocks, code_spans, name, text_of, without_blocks

TEST_COMMAND = ".venv/bin/python -m pytest"


def links():
    return [
        pytest.param(page, target, id=f"{name(page)}: {target}")
        for page in PAGES
        for target in re.findall(r"\]\(([^)\s]+)\)", without_blocks(text_of(page)))
        if "://" not in target
    ]


@pytest.mark.parametrize(("page", "target"), links())
def test_the_target_of_a_link_exists(page, target):
    path, _, heading = target.partition("#")
    linked = (page.parent / path).resolve() if path else page
    assert linked.exists()
    if heading:
        headings = re.findall(r"^#+ (.*)$", linked.read_text(encoding="utf-8"), flags=re.MULTILINE)
        assert heading in [re.sub(r"[^\w -]", "", words.lower()).replace(" ", "-") for words in headings]


def test_the_index_has_every_page():
    linked = re.findall(r"\]\(([^)]+)\)", text_of("docs/index.md"))
    pages = {name(page).removeprefix("docs/") for page in PAGES if name(page).startswith("docs/")}
    lessons = {
        page for page in pages if re.match(r"course/(ko/)?\d", page)
    }  # the course has its own contents
    assert pages - lessons - {"index.md"} <= set(linked)


@pytest.mark.parametrize("page", [name(page) for page in PAGES if name(page).startswith("docs/")])
def test_a_page_begins_with_a_sentence_about_its_purpose(page):
    title, blank, first = text_of(page).splitlines()[:3]
    assert title.startswith("# ") and not blank
    assert re.match(r"[A-Z`가-힣]", first) and not first.startswith("```")


def test_the_readme_is_short():
    assert len(text_of("README.md").splitlines()) <= 150


# What commands write beside the checkout, such as runs/, is not a part of it.
IGNORED = {line.strip("/") for line in text_of(".gitignore").splitlines()}
FOLDERS = [
    path.name
    for folder in (ROOT, ROOT / "src/verydeep")
    for path in folder.glob("[a-z]*/")
    if path.name not in IGNORED
]


def files():
    """Paths between backticks; ``train/loop.py`` is one below ``src/verydeep``."""
    return [
        pytest.param(span, id=f"{name(page)}: {span}")
        for page in PAGES
        if name(page) not in HISTORY
        for span in dict.fromkeys(code_spans(name(page)))
        if re.fullmatch(rf"({'|'.join(FOLDERS)})/[\w./-]+\.\w+|(src|tests|docs|benchmarks)/[\w./-]*", span)
    ]


@pytest.mark.parametrize("file", files())
def test_a_file_that_a_page_names_exists(file):
    assert (ROOT / file).exists() or (ROOT / "src/verydeep" / file).exists()


def commands():
    """Every line of a page that begins with ``verydeep``, in a block or between backticks."""
    in_blocks = [
        (block.page, line.removeprefix("$ "))
        for block in blocks("sh", "console")
        for line in block.text.splitlines()
    ]
    in_text = [(name(page), span) for page in PAGES for span in code_spans(name(page))]
    return [
        pytest.param(command, id=f"{page}: {command}")
        for page, line in [*in_blocks, *in_text]
        if (command := re.sub(r"^([A-Z_]+=\S+ )*", "", line)).startswith("verydeep ")
    ]


@pytest.mark.parametrize("command", commands())
def test_a_command_is_valid(command):
    """The command exists and accepts these arguments: they are parsed, and nothing runs."""
    verb, *arguments = shlex.split(command, comments=True)[1:]
    assert verb in list(app)
    if arguments:
        app.parse_args([verb, *arguments], exit_on_error=False, print_error=False)


@pytest.fixture(scope="module")
def known_flags():
    """The flags of all commands and subcommands."""
    flags, apps = {"--help", "--version"}, [app]
    while apps:
        parent = apps.pop()
        if parent.default_command is not None:
            flags |= {flag for argument in parent.assemble_argument_collection() for flag in argument.names}
        apps += [
            parent[verb] for verb in parent if not verb.startswith("-") or verb == "--install-completion"
        ]
    return flags


def flags():
    """Flags that stand alone between backticks, such as ``--budget 1h``."""
    return [
        pytest.param(span.split()[0], id=f"{name(page)}: {span}")
        for page in PAGES
        if name(page) not in HISTORY
        for span in dict.fromkeys(code_spans(name(page)))
        if span.startswith("--")
    ]


@pytest.mark.parametrize("flag", flags())
def test_a_flag_that_a_page_names_exists(flag, known_flags):
    assert flag in known_flags


@pytest.mark.parametrize(
    "shown",
    [
        pytest.param(block, id=f"{block.page}: {block.text.splitlines()[0]}")
        for block in blocks("console")
        if block.text.startswith("$ verydeep show")
    ],
)
def test_the_output_on_a_page_is_that_of_the_command(shown, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    command, _, expected = shown.text.partition("\n")
    with contextlib.suppress(SystemExit):
        main(shlex.split(command)[2:])
    printed = capsys.readouterr()
    options = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    assert doctest.OutputChecker().check_output(expected, printed.err + printed.out, options)


def test_the_test_command_is_the_same_everywhere():
    assert f"\n{TEST_COMMAND}\n" in text_of("README.md")
    assert f"\n{TEST_COMMAND}\n" in text_of(".ci/run")
    assert f"\t{TEST_COMMAND} $(TESTS)\n" in text_of("Makefile")


def test_the_tests_in_the_examples_of_make_exist():
    examples = re.findall(r"TESTS=\"?(tests/[\w/.]+)", text_of("Makefile") + text_of("CONTRIBUTING.md"))
    assert examples and all((ROOT / example).exists() for example in examples)


def test_the_make_targets_of_the_pages_exist():
    targets = set(re.findall(r"^(\w+):.*## ", text_of("Makefile"), flags=re.MULTILINE))
    lines = [line for block in blocks("sh") for line in block.text.splitlines()]
    named = {target for line in lines for target in re.findall(r"^make (\w+)", line)}
    assert {"train", "test"} <= named <= targets
