"""Convert the lessons of the course to Jupyter notebooks, beside their pages: `make notebooks`.

With a folder (`python docs/course/notebooks.py build/notebooks`), they are written there instead. Blocks of
Python and of shell commands become cells; all other text becomes Markdown.
"""

import sys
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
    out = Path(sys.argv[1]) if sys.argv[1:] else COURSE
    for page in lessons():
        file = out / page.relative_to(COURSE).with_suffix(".ipynb")
        file.parent.mkdir(parents=True, exist_ok=True)
        jupytext.write(notebook(page), file, fmt="ipynb")
