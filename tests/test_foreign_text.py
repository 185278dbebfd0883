"""Names of strangers at the borders: the terminal, HTML and Markdown show them, and nothing in them acts."""

import pytest
from markdown_it import MarkdownIt

from verydeep.foreign_text import error_text, markdown_text, one_line, terminal_text, utf8_text, valid_text

EUC_KR = "고양이".encode("euc-kr").decode(errors="surrogateescape")


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),  # a color
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),  # the title of the window
        ("a\rb", r"a\rb"),
        ("\u202egnp.exe", r"\u202egnp.exe"),  # shown as exe.png
        ("\u2067a\u2069\u200f", r"\u2067a\u2069\u200f"),
        ("\x9b31m", r"\x9b31m"),  # the escape sequence in one character
        (EUC_KR, r"\xb0\xed\xbe\xe7\xc0\xcc"),
        ("\ud800", r"\ud800"),
        ("고양이 חתול قط ½ 🐈", "고양이 חתול قط ½ 🐈"),
        ("[red]x[/b]", "[red]x[/b]"),
    ],
)
def test_a_terminal_shows_what_would_control_it(name, shown):
    assert terminal_text(name) == one_line(name) == html_of(name) == shown
    assert terminal_text(shown) == shown


def html_of(name):
    from verydeep.templates.environment import environment

    return environment().from_string("{{ name }}").render(name=name)


def test_a_message_keeps_its_lines_and_a_name_has_one():
    assert terminal_text("first\n\tsecond") == "first\n\tsecond"
    assert one_line("first\n\tsecond") == r"first\n\tsecond"


def test_an_error_of_another_library_is_one_short_line():
    assert error_text(ValueError("2 errors\n  size:\n    missing")) == "2 errors size: missing"
    assert len(error_text(ValueError("much " * 100))) == 120


def test_bytes_that_are_utf8_are_decoded_in_every_locale():
    ascii_locale = "고양이".encode().decode("ascii", "surrogateescape")
    assert utf8_text(ascii_locale) == valid_text(ascii_locale) == terminal_text(ascii_locale) == "고양이"
    assert utf8_text(EUC_KR) == EUC_KR and valid_text(EUC_KR) == r"\xb0\xed\xbe\xe7\xc0\xcc"


@pytest.mark.parametrize(
    "name",
    [
        "<script>alert(1)</script>", "[x](javascript:alert(1))", "![x](http://a/b)", "**bold** _it_ ~~no~~",
        "`code`", "a | b", "# heading", "- item", "1. item", r"back\slash", "&lt;b&gt;", "conv1_1 *x*",
        "<http://a.b>", "[x]: javascript:1",
    ],
)  # fmt: skip
def test_markdown_is_the_text_itself(name):
    html = MarkdownIt().enable("table").render(markdown_text(name))
    plain = html.removeprefix("<p>").removesuffix("</p>\n")
    assert "<" not in plain
    assert (
        plain.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"').replace("&amp;", "&") == name
    )


def test_markdown_changes_nothing_in_common_text():
    for text in ("conv1_1", "64x2", "92.99\N{NO-BREAK SPACE}%", "1,204", "vgg16-1x1", "-3", "3 - 2"):
        assert markdown_text(text) == text
    assert markdown_text("two\nlines") == "two lines"
