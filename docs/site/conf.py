"""The configuration of Sphinx for the site; ``build_site.py`` runs it."""

import dataclasses
import typing
from importlib import metadata

from sphinx.application import Sphinx

# jaxtyping then keeps the shapes of tensors in annotations as they are written.
vars(typing)["GENERATING_DOCUMENTATION"] = "sphinx"

project = "verydeep"
author = "The verydeep developers"
release = metadata.version("verydeep")
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = [".*"]  # where the gallery's commands run, and Sphinx's own files
nitpicky = True
nitpick_ignore_regex = [
    ("py:.*", r"(?!verydeep\.).*"),  # types of other libraries, whose pages are elsewhere
    ("py:.*", r"verydeep\.decoding\..*"),  # how files become pixels, which no public function returns
]
smartquotes = False  # they would turn `--` of a flag into a dash

myst_heading_anchors = 4
default_role = "code"

autodoc_typehints_format = "short"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_default_options = {"members": True, "undoc-members": True}
python_maximum_signature_line_length = 80
python_display_short_literal_types = True
napoleon_numpy_docstring = False

html_theme = "furo"
html_title = f"verydeep {release}"
html_favicon = "static/icon.svg"
html_static_path = ["static"]
html_css_files = ["site.css"]
html_js_files = [("site.js", {"defer": "defer"})]
html_copy_source = False
html_show_sourcelink = False


def hide_signature_of_dataclass(
    app: Sphinx, what: str, name: str, found: object, options: object, signature: str, returns: str
) -> tuple[str, str | None] | None:
    """No signature where the fields below have the same names, types and defaults, with their meaning."""
    return ("", None) if what == "class" and dataclasses.is_dataclass(found) else None


def keep_colons(app: Sphinx, what: str, name: str, found: object, options: object, lines: list[str]) -> None:
    """A blank first line, or napoleon takes what a field's text has before a colon for its type."""
    if what in ("attribute", "property"):
        lines.insert(0, "")


def name_language(app: Sphinx, page: str, template: str, context: dict[str, object], doctree: object) -> None:
    """The language of a page for screen readers and browsers; those in a folder ``ko/`` are Korean."""
    if "ko" in page.split("/")[:-1]:
        context["language"] = "ko"


def setup(app: Sphinx) -> None:
    """Connect the functions above."""
    app.connect("autodoc-process-docstring", keep_colons, priority=400)  # before napoleon
    app.connect("html-page-context", name_language)
    app.connect("autodoc-process-signature", hide_signature_of_dataclass)
