"""Copies the pages of the repository to where the site has them, with links that fit their new places.

``README.md`` becomes the first page; the pages in ``docs/`` move to the root of the site.
"""

import os
import re
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent

PLACES = {
    "README.md": "index.md",
    "README.ko.md": "ko/index.md",
    "docs/index.md": "tasks.md",
    "CHANGELOG.md": "changelog.md",
    "CODE_OF_CONDUCT.md": "code-of-conduct.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "security.md",
    "benchmarks/README.md": "benchmarks.md",
}
"""Where a page goes that is not one of ``docs/``, or has another name in the site."""

FENCED = re.compile(r"(^```.*?^```$)", flags=re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<=\]\()([^)\s#]+)(?=[)#])")


def copy_pages(source: Path) -> None:
    """Write the pages of the repository, and the files that they link, into the Sphinx source ``source``."""
    pages = [ROOT / page for page in PLACES if (ROOT / page).exists()]
    pages += [page for page in ROOT.glob("docs/**/*.md") if page.relative_to(ROOT).as_posix() not in PLACES]
    for page in pages:
        if not page.is_relative_to(HERE) and not page.is_relative_to(ROOT / "docs/live"):
            _copy_page(page, source)
    for folder in sorted({page.parent for page in source.rglob("*.md")} - {source}):
        _list_folder(folder)


def add_navigation(source: Path) -> None:
    """Put the navigation at the end of the first page, without the pages that this build leaves out.

    Sphinx fails where a page is not in it.
    """
    names = {page.relative_to(source).with_suffix("").as_posix() for page in source.rglob("*.*")} | {"self"}
    lines = [
        line
        for line in (HERE / "navigation.md").read_text(encoding="utf-8").splitlines()
        if not (entry := re.fullmatch(r".*<(.*)>", line)) or entry[1] in names
    ]
    _append(source / "index.md", "\n".join(lines))


def _copy_page(page: Path, source: Path) -> None:
    name = PurePosixPath(page.relative_to(ROOT).as_posix())
    target = source / place(name)
    target.parent.mkdir(parents=True, exist_ok=True)
    text = page.read_text(encoding="utf-8")
    target.write_text(with_moved_links(text, name), encoding="utf-8")
    for linked in linked_files(text, name):
        if linked.suffix != ".md" and (ROOT / linked).is_file():
            copy = source / place(linked)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / linked, copy)


def place(path: PurePosixPath) -> PurePosixPath:
    """Where the site has the file ``path`` of the repository."""
    if str(path) in PLACES:
        return PurePosixPath(PLACES[str(path)])
    return path.relative_to("docs") if path.is_relative_to("docs") else path


def with_moved_links(text: str, page: PurePosixPath) -> str:
    """The Markdown ``text`` of the repository's ``page``, with relative links from its place in the site."""

    def move(target: str) -> str:
        if "://" in target or target.startswith("mailto:"):
            return target
        return os.path.relpath(place(_resolve(target, page)), place(page).parent)

    return _outside_of_blocks(text, lambda part: LINK.sub(lambda link: move(link[1]), part))


def linked_files(text: str, page: PurePosixPath) -> Iterable[PurePosixPath]:
    """The files of the repository to which ``page`` links, pictures included."""
    targets = [target for part in FENCED.split(text)[::2] for target in LINK.findall(part)]
    return {_resolve(target, page) for target in targets if "://" not in target}


def _resolve(target: str, page: PurePosixPath) -> PurePosixPath:
    return PurePosixPath(os.path.normpath(page.parent / target))


def _outside_of_blocks(text: str, change: Callable[[str], str]) -> str:
    parts = FENCED.split(text)
    return "".join(part if index % 2 else change(part) for index, part in enumerate(parts))


def _list_folder(folder: Path) -> None:
    """Put the pages of ``folder`` below its page in the navigation: ``studies/`` has ``studies.md``."""
    page = folder.with_suffix(".md")
    if page.exists():
        _append(page, f"```{{toctree}}\n:hidden:\n:glob:\n\n{folder.name}/*\n```\n")
    elif (folder / "index.md").exists():
        _append(folder / "index.md", "```{toctree}\n:hidden:\n:glob:\n\n*\n```\n")


def _append(page: Path, text: str) -> None:
    page.write_text(f"{page.read_text(encoding='utf-8')}\n{text}", encoding="utf-8")
