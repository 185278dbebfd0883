"""Record a finished full study: its result as package data, its page and its picture in docs/studies.

    .venv/bin/verydeep study depth
    .venv/bin/verydeep study depth --full
    .venv/bin/python benchmarks/record_study.py depth --quick studies/depth --full studies/depth-full

The picture is the first section of the page with figures, taken with Chromium. Without --full, only the page
and the picture of the quick study are made. A study on your own images has a name of its own, and its page is
the one in its folder, as only the study knows the images:

    .venv/bin/verydeep study transfer --data photos --weights vgg16
    .venv/bin/python benchmarks/record_study.py transfer-photos --quick studies/transfer-photos-vgg16
"""

import argparse
import shutil
from pathlib import Path

from verydeep.report.study_page import markdown, render_study
from verydeep.study.studies import STUDIES, find_study
from verydeep.study.study_result import StudyResult, read_result, record_result

RESULTS = Path(__file__).parent.parent / "src" / "verydeep" / "study" / "results"
PAGES = Path(__file__).parent.parent / "docs" / "studies"
WIDTH = 1100


def main() -> None:
    """Write the files, and print their names."""
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("study", help="its name, which its page has too")
    parser.add_argument("--quick", type=Path, required=True, help="the folder of the quick study")
    parser.add_argument("--full", type=Path, help="the folder of the full study")
    arguments = parser.parse_args()
    page = PAGES / f"{arguments.study}.md"
    if arguments.study in STUDIES:
        html = _record(arguments.study, arguments.quick, arguments.full, page)
    elif arguments.full is None:
        shutil.copyfile(arguments.quick / "study.md", page)
        html = (arguments.quick / "study.html").read_text("utf-8")
    else:
        parser.error(f"--full is for {', '.join(STUDIES)}, whose results are package data")
    print(page, _picture(html, page.with_suffix(".png")))


def _record(name: str, quick_folder: Path, full_folder: Path | None, page: Path) -> str:
    """Write the page, and the result of the full study; returns what the picture is taken of, as HTML."""
    quick = _result(name, quick_folder)
    full = _result(name, full_folder) if full_folder else None
    if full is not None:
        print(record_result(full, RESULTS))
    page.write_text(markdown(quick, full), encoding="utf-8")
    return render_study(full or quick)


def _result(name: str, folder: Path) -> StudyResult:
    return read_result(find_study(name), (folder / "study.json").read_text("utf-8"))


def _picture(html: str, file: Path) -> Path:
    """The figures of the page, as someone sees them in a light browser window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        tab = browser.new_page(viewport={"width": WIDTH, "height": 900}, color_scheme="light")
        tab.set_content(html)
        tab.locator("section:has(.charts)").first.screenshot(path=str(file))
        browser.close()
    return file


if __name__ == "__main__":
    main()
