"""What the tests of all pages check in HTML."""

import re
from html import unescape
from html.parser import HTMLParser
from xml.etree import ElementTree

VOID = {"meta", "link", "img", "br", "rect", "path", "circle", "polyline"}
"""Tags without an end tag in HTML, or that end themselves in SVG."""


class Outline(HTMLParser):
    """The tags of a page, which must nest."""

    def __init__(self, page):
        super().__init__()
        self.open, self.tags = [], []
        self.feed(page)

    def handle_starttag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        if tag not in VOID:
            assert self.open.pop() == tag

    def each(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


def words(page):
    """The visible text of a page, with single spaces."""
    body = re.sub(r"<style>.*?</style>", "", page, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", body)).split())


def titles(page):
    """The titles of the sections, in order."""
    return [words(title) for title in re.findall(r"<h2[^>]*>(.*?)</h2>", page)]


def drawing(page, label):
    """The SVG element whose text alternative starts with ``label``."""
    elements = map(ElementTree.fromstring, re.findall(r"<svg.*?</svg>", page, re.DOTALL))
    (found,) = (each for each in elements if each.get("aria-label", "").startswith(label))
    return found


def group(element, name):
    """The group of the class ``name`` in an SVG element."""
    (found,) = (each for each in element.iter("g") if each.get("class") == name)
    return found


def texts(element):
    """The texts of an SVG element with their positions, class by class."""
    return [
        (each.text, each.get("class"), float(each.get("x")), float(each.get("y")))
        for each in element.iter("text")
    ]


def check_page(page):
    """Tags nest, no other file is loaded, every figure and table has its text, and every style is defined."""
    outline = Outline(page)
    assert outline.open == []
    assert not re.search(r"https?:|url\(|@import|<script|<iframe|javascript:", page)
    references = [tag[key] for _, tag in outline.tags for key in ("src", "href") if key in tag]
    assert all(reference.startswith("data:") for reference in references)
    assert "default-src 'none'" in page
    for query in ("prefers-color-scheme: dark", "max-width: 520px", "@media print", 'name="viewport"'):
        assert query in page
    assert all(image["alt"] for image in outline.each("img"))
    assert all(
        (drawing.get("role") == "img" and drawing["aria-label"]) or drawing.get("aria-hidden")
        for drawing in outline.each("svg")
    )
    assert outline.each("th") and all(header["scope"] in ("row", "col") for header in outline.each("th"))
    labels = [tag["aria-labelledby"] for tag in outline.each("section") if "aria-labelledby" in tag]
    headings = [heading["id"] for heading in outline.each("h2")]
    assert labels and sorted(labels) == sorted(headings)
