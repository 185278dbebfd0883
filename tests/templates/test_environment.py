"""What every template has in common."""

from importlib.resources import files

import jinja2
import pytest

from verydeep.templates.environment import environment

NAMES = [entry.name for entry in files("verydeep.report").iterdir() if entry.name.endswith(".j2")]


@pytest.mark.parametrize("name", NAMES)
def test_text_goes_into_pages_and_pictures_escaped_and_into_markdown_as_it_is(name):
    escapes = environment().autoescape
    assert callable(escapes) and escapes(name) == (not name.endswith(".md.j2"))


def test_what_is_missing_is_an_error():
    with pytest.raises(jinja2.UndefinedError, match="missing"):
        environment().from_string("{{ missing }}").render()
