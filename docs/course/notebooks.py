"""Convert the lessons of the course to Jupyter notebooks, beside their pages: `make notebooks`.

Blocks of Python and of shell commands become cells; all other text becomes Markdown.
"""

from pathlib import Path

import jupytext
from nbformat import NotebookNode

COURSE = Path(__file__).parent
KERNEL = """\
---
jupyter:
  kernelspec:
    display_name: Python 3
    language: python
    name: python3
---
"""
"""Without it, the language of a notebook would be the one that most of its blocks have."""


def lessons() -> list[Path]:
    """The pages of the lessons in all languages, in order."""
    return sorted(COURSE.glob("**/[0-9][0-9]-*.md"))


def notebook(page: Path) -> NotebookNode:
    """The lesson as a notebook, whose cells have not run."""
    return jupytext.reads(KERNEL + page.read_text(encoding="utf-8"), fmt="md")


if __name__ == "__main__":
    for page in lessons():
        jupytext.write(notebook(page), page.with_suffix(".ipynb"), fmt="ipynb")
