"""A release has one version, one date and one license in all files that name them."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent


def text_of(name):
    return (ROOT / name).read_text(encoding="utf-8")


def test_the_version_is_the_same_everywhere():
    version = tomllib.loads(text_of("pyproject.toml"))["project"]["version"]
    (cited,) = re.findall(r"^version: (.*)$", text_of("CITATION.cff"), flags=re.MULTILINE)
    newest, released = re.search(
        r"^## \[(\d.*)\] - (\S+)$", text_of("CHANGELOG.md"), flags=re.MULTILINE
    ).groups()
    assert version == cited == newest
    assert f"\ndate-released: {released}\n" in text_of("CITATION.cff")


def test_the_license_and_the_authors_are_the_same():
    project = tomllib.loads(text_of("pyproject.toml"))["project"]
    assert f"\nlicense: {project['license']}\n" in text_of("CITATION.cff")
    assert f"\nauthors:\n  - name: {project['authors'][0]['name']}\n" in text_of("CITATION.cff")


def test_workflows_name_actions_by_commit():
    used = re.findall(
        r"^\s*- uses: (\S+)@(\S+)(.*)$",
        "".join(file.read_text("utf-8") for file in (ROOT / ".github/workflows").glob("*.yml")),
        flags=re.MULTILINE,
    )
    assert len(used) >= 5
    for action, version, comment in used:
        if action != "pypa/gh-action-pypi-publish":  # its branch, as publish.yml says
            assert re.fullmatch(r"[0-9a-f]{40}", version) and re.fullmatch(r"  # v[\d.]+", comment), action
