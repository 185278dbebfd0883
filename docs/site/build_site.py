"""Builds the site of the documentation: ``python docs/site/build_site.py build/site``.

The steps: the pages of the repository at their places in the site (pages.py), the notebooks of the lessons
(lessons.py), a page for each command (commands.py), real reports (gallery.py), the live page, and Sphinx,
whose warnings are errors.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from commands import write_commands
from gallery import write_gallery
from lessons import write_notebooks
from pages import ROOT, add_navigation, copy_pages
from sphinx.cmd.build import build_main

from verydeep.study.studies import STUDIES
from verydeep.study.study_result import recorded_result

HERE = Path(__file__).parent
LIVE = ROOT / "docs/live/build.py"
MARK = ".site"
"""A file in the source of a site, by which a later build knows that both folders may be replaced."""


def main() -> int:
    """Build the site; the exit code is 0, or another if anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="the folder of the site; an earlier one is replaced")
    parser.add_argument(
        "--text-only",
        action="store_true",
        help="without the gallery, which takes a minute, and the live page, which needs npm",
    )
    arguments = parser.parse_args()
    out = arguments.out.resolve()
    source = out.with_name(f"{out.name}-source")
    for folder in (out, source):
        if folder.exists() and any(folder.iterdir()) and not (source / MARK).exists():
            sys.exit(f"Error: {folder} holds other files than a site; name an empty or a new folder")
    for folder in (out, source):
        shutil.rmtree(folder, ignore_errors=True)
    copy_text(source)
    if not arguments.text_only:
        recorded = [result for study in STUDIES.values() if (result := recorded_result(study))]
        write_live_page(source, out / "live")  # first: it may lack npm, and the gallery takes a minute
        write_gallery(source, out / "gallery", recorded)
    add_navigation(source)
    options = ["--fail-on-warning", "--keep-going", "--quiet", "--jobs=auto", f"--conf-dir={HERE}"]
    return build_main([*options, f"--doctree-dir={source / '.doctrees'}", str(source), str(out)])


def copy_text(source: Path) -> None:
    """Write the pages of the repository, of the API and of the commands into a new source, with notebooks."""
    source.mkdir(parents=True)
    (source / MARK).touch()
    shutil.copytree(HERE / "api", source / "api")
    copy_pages(source)
    write_notebooks(source)
    write_commands(source)


def write_live_page(source: Path, out: Path) -> None:
    """Build the live page into ``out``, and link it on its page of the docs."""
    if code := subprocess.run([sys.executable, LIVE, out], stdout=subprocess.DEVNULL).returncode:
        sys.exit(code)  # after the message of the other program
    page = source / "live.md"
    title, rest = page.read_text(encoding="utf-8").split("\n", 1)
    link = '<p><a href="live/index.html">Open the live page</a></p>'
    page.write_text(f"{title}\n\n{link}\n{rest}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
