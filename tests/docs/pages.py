"""The Markdown pages, cut into what the tests of the docs compare: blocks, tables, code spans."""

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/*.md"),
        *ROOT.glob("docs/ko/*.md"),
        *ROOT.glob("docs/course/**/*.md"),
        *ROOT.glob("benchmarks/*.md"),
        *ROOT.glob("packaging/**/*.md"),
    ]
)

HISTORY = ("docs/log.md", "CHANGELOG.md")
"""Pages about the past, whose names may be gone."""


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


def code_spans(page):
    """The texts between backticks of a page, outside of blocks."""
    return code_spans_of(text_of(page))


def code_spans_of(text):
    return re.findall(r"`([^`\n]+)`", without_blocks(text))


def code(cell):
    """The texts between backticks in a cell of a table."""
    return re.findall(r"`([^`]+)`", cell)


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
    """The first table of a page with that column."""
    return next(table for table in tables(page) if column in table[0])
