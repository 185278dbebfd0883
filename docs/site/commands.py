"""Writes a page for each command, from the functions and texts that make its ``--help``."""

import re
from collections.abc import Iterator
from pathlib import Path

from cyclopts import App
from cyclopts.docs.markdown import generate_markdown_docs

from verydeep.cli.main import app

INDEX = """# Commands

Every command of `verydeep` with all its flags: what `verydeep COMMAND --help` prints.

| command | what it does |
|---|---|
"""


def write_commands(source: Path) -> None:
    """Write ``commands/`` into the Sphinx source, which already has the pages that show how they are used."""
    folder = source / "commands"
    guides = sorted(source.glob("*.md"))
    folder.mkdir()
    names = list(subcommands(app))
    rows = "".join(f"| [`verydeep {name}`]({name}.md) | {app[name].help} |\n" for name in names)
    toctree = "\n".join(["```{toctree}", ":hidden:", "", *names, "```"])
    (folder / "index.md").write_text(f"{INDEX}{rows}\n{toctree}\n", encoding="utf-8")
    for name in names:
        page = command_page(app[name], ("verydeep", name)) + _guides(f"verydeep {name}", guides)
        (folder / f"{name}.md").write_text(page, encoding="utf-8")


def subcommands(parent: App) -> Iterator[str]:
    """The names of the commands of ``parent``, without its flags."""
    return (name for name in parent if not name.startswith("-"))


def command_page(command: App, words: tuple[str, ...]) -> str:
    """The Markdown of a command, such as ``("verydeep", "data")``, with its subcommands as sections."""
    names = list(subcommands(command))
    page = generate_markdown_docs(
        command, heading_level=len(words) - 1, command_chain=list(words), exclude_commands=names
    )
    below = [command_page(command[name], (*words, name)) for name in names]
    if below:
        return "\n".join([page, *below])
    return f"{page}\n{_example(command.help_epilogue or '')}"


def _example(epilogue: str) -> str:
    """The last lines of a help page, as a block to copy."""
    lines = dict(re.findall(r"^(Example|Next): (.*)$", epilogue, flags=re.MULTILINE))
    return "".join(f"**{title}**\n\n```sh\n{line}\n```\n\n" for title, line in lines.items())


def _guides(command: str, pages: list[Path]) -> str:
    """A line with the pages that have the command in a block, those that name it most first."""
    texts = {page: page.read_text(encoding="utf-8") for page in pages}
    counts = {page: len(re.findall(rf"^(?:\$ )?{command}\b", texts[page], re.MULTILINE)) for page in pages}
    named = sorted((page for page in pages if counts[page]), key=lambda page: -counts[page])[:4]
    links = [f"[{_title(texts[page])}](../{page.name})" for page in named]
    return f"**Guides**: {' · '.join(links)}\n" if links else ""


def _title(text: str) -> str:
    return text.partition("\n")[0].removeprefix("# ").partition(":")[0]
