"""The files of the web page: one page, over a server or over the browser itself, so that both look the same.

shared   the page
server   ``classifier.js`` that sends images to the server that gave the page
browser  ``classifier.js`` that computes in a worker of the browser
"""

from importlib.resources import files
from typing import Literal


def page_files(classifier: Literal["server", "browser"]) -> dict[str, bytes]:
    """The contents of the page with this classifier, by file name; all files are in one folder."""
    folders = (files("verydeep.web_page") / name for name in ("shared", classifier))
    found = {file.name: file.read_bytes() for folder in folders for file in folder.iterdir()}
    return dict(sorted(found.items()))
