"""Pages at their places in the site: links that fit, a navigation, the gallery."""

from pathlib import PurePosixPath

import pytest
from PIL import Image

from ...report.test_study_page import report as study_report

pytestmark = pytest.mark.usefixtures("scripts")


@pytest.mark.parametrize(
    ("page", "text", "moved"),
    [
        ("README.md", "[a](docs/tune.md#time)", "[a](tune.md#time)"),
        ("README.md", "![a](docs/report.png)", "![a](report.png)"),
        ("docs/index.md", "[a](../CONTRIBUTING.md)", "[a](contributing.md)"),
        ("docs/studies.md", "[a](studies/init.md)", "[a](studies/init.md)"),
        ("docs/studies/init.md", "[a](../index.md)", "[a](../tasks.md)"),
        ("benchmarks/README.md", "[a](../docs/recipes.md)", "[a](recipes.md)"),
        (
            "docs/tune.md",
            "[a](#time) [b](https://example.org/a.md)",
            "[a](#time) [b](https://example.org/a.md)",
        ),
        ("README.md", "```sh\n[a](docs/tune.md)\n```\n", "```sh\n[a](docs/tune.md)\n```\n"),
    ],
)
def test_links_fit_the_place_of_the_page(page, text, moved):
    from pages import with_moved_links

    assert with_moved_links(text, PurePosixPath(page)) == moved


def test_a_linked_picture_is_copied_and_a_folder_is_below_its_page(tmp_path):
    from pages import add_navigation, copy_pages

    copy_pages(tmp_path)
    add_navigation(tmp_path)
    assert (tmp_path / "report.png").is_file() and (tmp_path / "pictures/vgg16.svg").is_file()
    assert (tmp_path / "studies.md").read_text(encoding="utf-8").endswith("\nstudies/*\n```\n")
    first = (tmp_path / "index.md").read_text(encoding="utf-8")
    assert "Train a classifier <tune>" in first and "<gallery>" not in first


def test_a_folder_with_other_files_is_not_replaced(tmp_path, monkeypatch):
    pytest.importorskip("sphinx", reason="the extra docs is not installed")
    import build_site

    monkeypatch.setattr("sys.argv", ["build_site.py", str(tmp_path / "site")])
    for folder in ("site-source", "site"):  # the source of the site, in the folder beside it, is replaced too
        file = tmp_path / folder / "photo.jpg"
        file.parent.mkdir()
        file.touch()
        with pytest.raises(SystemExit, match=f"{folder} holds other files than a site"):
            build_site.main()
        assert file.exists()
        file.unlink()


def test_the_gallery_has_the_pages_of_commands_and_studies(tmp_path, monkeypatch):
    import gallery

    report = gallery.Report("Data check", "Duplicates.", "verydeep data check shapes/ --out a.html", "a.html")
    monkeypatch.setattr(gallery, "REPORTS", (report,))
    study = study_report("depth", command="verydeep study depth --full")
    gallery.write_gallery(tmp_path / "source", tmp_path / "out", [study])
    assert "<html" in (tmp_path / "out/data-check.html").read_text(encoding="utf-8")
    page = (tmp_path / "source/gallery.md").read_text(encoding="utf-8")
    assert report.command in page and 'href="gallery/data-check.html"' in page
    assert study.findings[0] in (tmp_path / "out/study-depth.html").read_text(encoding="utf-8")
    assert 'href="gallery/study-depth.html"' in page and "`verydeep study depth --full`" in page


def test_a_command_that_fails_is_an_error_with_its_output(tmp_path):
    from gallery import _run

    with pytest.raises(SystemExit, match="missing is not a folder"):
        _run("verydeep data check missing", tmp_path)


def test_the_images_of_the_gallery_have_duplicates_and_rare_classes(tmp_path):
    from gallery import COUNTS, draw_images

    draw_images(tmp_path)
    images = list(tmp_path.rglob("*.png"))
    assert len({path.parent for path in images}) == len(COUNTS)
    assert sum(COUNTS) < len(images) <= sum(COUNTS) * 1.1
    with Image.open(images[0]) as image:
        assert image.size == (32, 32)
