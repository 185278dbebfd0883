"""The templates: all of them parse, escape what they are given, and use only styles that exist."""

import re
from importlib.resources import files

import jinja2
import jinja2.meta
import pytest

from verydeep.templates.environment import environment, sentence

FOLDER = files("verydeep.templates")
NAMES = sorted(entry.name for entry in FOLDER.iterdir() if entry.name.endswith(".j2"))
PAGES = [name for name in NAMES if "<html" in (FOLDER / name).read_text(encoding="utf-8")]
ADDED_FILTERS = {"model_card.md.j2": ("fenced", "quoted")}
"""Filters that the module of a template adds."""


def templates(name):
    added = environment().overlay()
    added.filters = added.filters | dict.fromkeys(ADDED_FILTERS.get(name, ()), str)
    return added


def test_all_templates_are_found():
    assert {"training_page.html.j2", "tune_page.html.j2", "diagram.svg.j2", "model_card.md.j2"} <= set(NAMES)
    assert len(PAGES) >= 7


@pytest.mark.parametrize("name", NAMES)
def test_a_template_is_valid_and_its_includes_exist(name):
    loaded = templates(name)
    assert loaded.get_template(name).name == name
    source = (FOLDER / name).read_text(encoding="utf-8")
    for included in jinja2.meta.find_referenced_templates(loaded.parse(source)):
        assert loaded.loader.get_source(loaded, included)


@pytest.mark.parametrize("name", NAMES)
def test_text_is_escaped_in_pages_and_diagrams_and_not_in_markdown(name):
    loaded = templates(name)
    loaded.loader = jinja2.DictLoader({name: "{{ text }}"})
    rendered = loaded.get_template(name).render(text="<b>")
    assert rendered == ("<b>" if name.endswith(".md.j2") else "&lt;b&gt;")


@pytest.mark.parametrize("name", NAMES)
def test_no_template_marks_text_as_safe(name):
    source = (FOLDER / name).read_text(encoding="utf-8")
    assert not re.search(r"\|\s*safe\b|autoescape", source)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_utf_8_for_phones_in_light_and_dark(name):
    source = (FOLDER / name).read_text(encoding="utf-8")
    assert '<meta charset="utf-8">' in source and 'name="viewport"' in source
    assert "page.css" in jinja2.meta.find_referenced_templates(templates(name).parse(source))


def test_an_undefined_name_is_an_error():
    with pytest.raises(jinja2.UndefinedError, match="missing"):
        environment().from_string("{{ missing }}").render()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("add images", "Add images."),
        ("Add images. Or not?", "Add images. Or not?"),
        ("no!", "No!"),
        ("vGG", "VGG."),
    ],
)
def test_a_sentence_has_a_capital_letter_and_an_end(text, expected):
    assert sentence(text) == expected
    assert environment().from_string("{{ text | sentence }}").render(text=text) == expected
