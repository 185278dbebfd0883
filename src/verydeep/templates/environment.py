"""What reads the templates of this folder, for pages, pictures and cards. It needs no torch."""

import jinja2

from verydeep.number_format import duration, percent, rounded, thousands


def environment() -> jinja2.Environment:
    """Text goes into HTML and SVG escaped, into Markdown as it is; what is missing is an error."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("verydeep", "templates"),
        autoescape=jinja2.select_autoescape(("html.j2", "svg.j2")),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= {
        "duration": duration,
        "percent": percent,
        "rounded": rounded,
        "thousands": thousands,
    }
    return environment
