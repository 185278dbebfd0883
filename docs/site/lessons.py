"""Puts the Jupyter notebook of each lesson beside its page, with a link to download it."""

import sys
from pathlib import Path

import jupytext
from pages import ROOT

sys.path.append(str(ROOT / "docs/course"))
from notebooks import COURSE, lessons, notebook

CONTENTS = {"en": "[Contents](index.md)", "ko": "[차례](index.md)"}
"""The first link of each lesson, by language; the link to the notebook comes after it."""
LABELS = {"en": "notebook", "ko": "노트북"}


def write_notebooks(source: Path) -> None:
    """Write the notebooks into the Sphinx source, which already has the pages of the lessons."""
    for lesson in lessons():
        name = lesson.relative_to(COURSE)
        language = "ko" if name.parent.name == "ko" else "en"
        page = source / "course" / name
        jupytext.write(notebook(lesson), page.with_suffix(".ipynb"), fmt="ipynb")
        link = f"{CONTENTS[language]} · [{LABELS[language]}]({name.stem}.ipynb)"
        text = page.read_text(encoding="utf-8")
        page.write_text(text.replace(CONTENTS[language], link, 1), encoding="utf-8")
