"""The Jinja environment of the templates in this folder: pages, diagrams, model cards. It needs no torch."""

from functools import cache

import jinja2

from verydeep.foreign_text import html_text
from verydeep.number_format import duration, percent, rounded, thousands


@cache
def environment() -> jinja2.Environment:
    """Text is escaped in HTML and SVG, not in Markdown; an undefined name is an error.

    It is made once and keeps the templates that it has compiled: change an ``overlay`` of it.
    """
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("verydeep", "templates"),
        autoescape=jinja2.select_autoescape(("html.j2", "svg.j2")),
        finalize=_visible,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "duration": duration,
        "percent": percent,
        "rounded": rounded,
        "sentence": sentence,
        "thousands": thousands,
    }
    return environment


def _visible(value: object) -> object:
    """Text of a template's variable; what is HTML already, or a number, is left as it is."""
    return html_text(value) if type(value) is str else value


def sentence(text: str) -> str:
    """``text`` with a capital letter and a full stop."""
    return f"{text[:1].upper()}{text[1:]}{'' if text.endswith(('.', '!', '?')) else '.'}"
