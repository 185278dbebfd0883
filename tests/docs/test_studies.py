"""The pages of the studies show the results that come with the package; claims.md says what they say."""

import re

import pytest

from verydeep.study.studies import STUDIES
from verydeep.study.study_result import recorded_result
from verydeep.tables import data_table
from verydeep.tables.study_table import runs_table

from .pages import ROOT, text_of

RECORDED = [study for study in STUDIES.values() if recorded_result(study) is not None]
INTERVAL = re.compile(r"[+-]\d+\.\d+ to [+-]\d+\.\d+")


def named(study):
    return study.name


@pytest.mark.parametrize("study", STUDIES.values(), ids=named)
def test_every_study_has_a_page_and_a_picture(study):
    page = text_of(f"docs/studies/{study.name}.md")
    assert page.startswith(f"# {study.title}\n\n{study.question}\n\n{study.protocol}\n")
    assert f"`verydeep study {study.name} --data fashion-mnist" in page
    assert (ROOT / f"docs/studies/{study.name}.png").is_file()


@pytest.mark.parametrize("study", RECORDED, ids=named)
def test_the_page_has_the_full_result_that_comes_with_the_package(study):
    page, result = text_of(f"docs/studies/{study.name}.md"), recorded_result(study)
    assert f"`{result.command}`" in page and result.dataset in page
    assert all(finding in page for finding in result.findings)
    assert data_table.markdown(runs_table(result.outcomes)) in page


def test_the_intervals_of_the_claims_are_those_of_the_studies():
    pages = "".join(text_of(page) for page in (ROOT / "docs/studies").glob("*.md"))
    claimed = INTERVAL.findall(text_of("docs/claims.md"))
    assert len(claimed) >= 20
    assert [each for each in claimed if each not in pages] == []
