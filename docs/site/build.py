"""Builds the site of the documentation: ``python docs/site/build.py build/site``.

The steps: the pages of the repository at their places in the site (pages.py), a page for each command
(commands.py), real reports (gallery.py), and Sphinx, whose warnings are errors.
"""

import argparse
import shutil
import sys
from pathlib import Path

from commands import write_commands
from gallery import write_gallery
from pages import add_navigation, copy_pages
from sphinx.cmd.build import build_main

HERE = Path(__file__).parent


def main() -> int:
    """Build the site; the exit code is 0, or another if anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, help="the folder of the site; what is in it is removed")
    parser.add_argument("--no-gallery", action="store_true", help="without the reports, which take a minute")
    arguments = parser.parse_args()
    out = arguments.out.resolve()
    return build(out, with_gallery=not arguments.no_gallery)


def build(out: Path, *, with_gallery: bool) -> int:
    """Build the site into ``out``, by way of ``out`` with the suffix ``-source``; Sphinx's exit code."""
    source = out.with_name(f"{out.name}-source")
    for folder in (out, source):
        shutil.rmtree(folder, ignore_errors=True)
    source.mkdir(parents=True)
    shutil.copytree(HERE / "api", source / "api")
    copy_pages(source)
    write_commands(source)
    if with_gallery:
        write_gallery(source, out / "gallery")
    add_navigation(source)
    options = ["--fail-on-warning", "--keep-going", "--quiet", "--jobs=auto", f"--conf-dir={HERE}"]
    return build_main([*options, f"--doctree-dir={source / '.doctrees'}", str(source), str(out)])


if __name__ == "__main__":
    sys.exit(main())
