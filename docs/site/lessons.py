"""Puts the Jupyter notebook of each lesson beside its page, with a link to download it."""

import subprocess
import sys
from pathlib import Path

from pages import ROOT

NOTEBOOKS = ROOT / "docs/course/notebooks.py"
CONTENTS = {"course": "[Contents](index.md)", "ko": "[차례](index.md)"}
"""The first link of each lesson, by folder; the link to the notebook comes after it."""
LABELS = {"course": "notebook", "ko": "노트북"}


def write_notebooks(source: Path) -> None:
    """Write the notebooks into the Sphinx source, which already has the pages of the lessons."""
    course = source / "course"
    subprocess.run([sys.executable, NOTEBOOKS, course], check=True)
    for notebook in course.glob("**/*.ipynb"):
        page, folder = notebook.with_suffix(".md"), notebook.parent.name
        link = f"{CONTENTS[folder]} · [{LABELS[folder]}]({notebook.name})"
        text = page.read_text(encoding="utf-8")
        if CONTENTS[folder] not in text:
            sys.exit(f"Error: {page} has no {CONTENTS[folder]}, after which its notebook is linked")
        page.write_text(text.replace(CONTENTS[folder], link, 1), encoding="utf-8")
