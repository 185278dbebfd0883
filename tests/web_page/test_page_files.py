"""Both pages are one page with another classifier, and name no other server."""

import re

import pytest

from verydeep.web_page.page_files import page_files


def test_the_pages_differ_by_their_classifier_only():
    server, browser = page_files("server"), page_files("browser")
    assert {name for name in server.keys() & browser.keys() if server[name] != browser[name]} == {
        "classifier.js"
    }
    assert set(server) - set(browser) == {"token.js"}


@pytest.mark.parametrize("classifier", ["server", "browser"])
def test_both_classifiers_have_what_the_page_uses(classifier):
    files = page_files(classifier)
    used = {name for file in files.values() for name in re.findall(rb"classifier\.(\w+)", file)} - {b"js"}
    given = re.findall(rb"export (?:async function|const) (\w+)", files["classifier.js"])
    assert used == set(given)


@pytest.mark.parametrize("classifier", ["server", "browser"])
def test_no_text_of_the_page_names_another_server(classifier):
    for name, content in page_files(classifier).items():
        text = content.decode().replace("http://www.w3.org/2000/svg", "").replace("// ", "")
        assert not re.search(r"https?:|//\w", text), name
