"""A Korean page keeps step with its English page, and has one word for one thing."""

import os
import re
from collections import Counter

import pytest

from .pages import ROOT, code_spans_of, name, table_with, text_of, without_blocks

KOREAN = sorted([*ROOT.glob("README.ko.md"), *ROOT.glob("docs/ko/*.md"), *ROOT.glob("docs/course/ko/*.md")])


def english_page(page):
    """The page that a Korean one translates; an English one is its own."""
    if page.parent.name == "ko":
        return page.parents[1] / page.name
    return page.with_name(page.name.replace(".ko.md", ".md"))


TRANSLATED = {english_page(page) for page in KOREAN}
on_each_pair = pytest.mark.parametrize(
    ("english", "korean"), [pytest.param(english_page(page), page, id=name(page)) for page in KOREAN]
)


def sections(page):
    """The text of a page, cut before its headings; in a block, ``# `` begins a comment."""
    cut = re.compile(r"(^```.*?^```$)|^(?=#+ )", flags=re.MULTILINE | re.DOTALL)
    text = page.read_text(encoding="utf-8")
    starts = [match.start() for match in cut.finditer(text) if not match[1]]
    return [text[start:end] for start, end in zip(starts, [*starts[1:], None], strict=True)]


def level(section):
    return section.index(" ")


def code_blocks(section):
    """Language and lines of each block, without comments, which are translated."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", section, flags=re.MULTILINE | re.DOTALL)
    return [(language, re.sub(r" *# .*$", "", body, flags=re.MULTILINE)) for language, body in found]


def links(section):
    return re.findall(r"\]\(([^)\s]+)\)", without_blocks(section))


def anchors(page):
    headings = [section.splitlines()[0].lstrip("# ").lower() for section in sections(page)]
    return [re.sub(r"[^\w -]", "", heading).replace(" ", "-") for heading in headings]


def destination(page, target):
    """Where a link of a page leads in English: an address, or a page and the number of its heading."""
    if "://" in target:
        return target
    path, _, heading = target.partition("#")
    linked = (page.parent / path).resolve() if path else page
    return english_page(linked), anchors(linked).index(heading) if heading else 0


def numbers(text):
    return Counter(re.findall(r"\d(?:[\d.,]*\d)?", text))


def rows(section):
    """The number of cells, and the numbers, of each row of the tables."""
    lines = [line for line in without_blocks(section).splitlines() if line.startswith("|")]
    return [(len(re.findall(r"(?<!\\)\|", line)), numbers(line)) for line in lines]


@on_each_pair
def test_a_korean_page_has_an_english_one_and_both_begin_with_a_link_to_the_other(english, korean):
    there = os.path.relpath(korean, english.parent)
    back = os.path.relpath(english, korean.parent)
    assert f"[한국어]({there})" in sections(english)[0]
    assert f"[English]({back})" in sections(korean)[0]


@on_each_pair
def test_the_headings_are_in_step(english, korean):
    assert [level(section) for section in sections(korean)] == [
        level(section) for section in sections(english)
    ]


def sections_in_step():
    return [
        pytest.param(english, korean, *pair, id=f"{name(korean)}: {pair[0].splitlines()[0]}")
        for korean in KOREAN
        if (english := english_page(korean)).exists()
        for pair in zip(sections(english), sections(korean), strict=False)
    ]


@pytest.mark.parametrize(("english", "korean", "original", "translation"), sections_in_step())
def test_code_links_and_numbers_are_in_step(english, korean, original, translation):
    assert code_blocks(translation) == code_blocks(original)
    assert set(code_spans_of(translation)) == set(code_spans_of(original))
    assert Counter(destination(korean, target) for target in links(translation)) == Counter(
        destination(english, target) for target in links(original)
    )
    assert rows(translation) == rows(original)
    assert numbers(without_blocks(original)) <= numbers(without_blocks(translation))


@on_each_pair
def test_a_korean_page_leads_to_korean_pages(english, korean):
    linked = {
        (korean.parent / target.partition("#")[0]).resolve()
        for target in links(korean.read_text(encoding="utf-8"))
        if "://" not in target and not target.startswith("#")
    }
    assert linked & TRANSLATED <= {english}


NOT_USED = {
    word: row["쓰는 말"]
    for row in table_with("docs/ko/words.md", "쓰지 않는 말")
    for word in row["쓰지 않는 말"].split(", ")
}


@pytest.mark.parametrize("page", [name(page) for page in KOREAN if page.name != "words.md"])
def test_a_korean_page_has_the_words_of_the_table_and_polite_sentences(page):
    text = without_blocks(text_of(page)).replace("하이퍼파라미터", "")
    assert {word: used for word, used in NOT_USED.items() if word in text} == {}
    assert re.findall(r"\w*(?<!니)다\.(?=\s|$)", text) == []


def test_both_tables_of_words_have_the_same_words():
    english, korean = (
        [list(row.values())[:2] for column in columns for row in table_with(page, column)]
        for page, columns in {
            "docs/words.md": ("meaning", "not used"),
            "docs/ko/words.md": ("뜻", "쓰지 않는 말"),
        }.items()
    )
    assert korean == english
