"""File names made of the names of classes and data sets."""

import pytest

from verydeep.file_name import file_name, same_name


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("cat", "cat"),
        ("고양이", "고양이"),
        ("cafe\u0301", "café"),
        ("none of these", "none of these"),
        ("a/b", "a-b"),
        ("a\\b:c", "a-b-c"),
        ("..", "class"),
        ("../../etc", "-..-etc"),
        (".hidden", "hidden"),
        ("dot.", "dot"),
        ("line\nbreak\x1b[0m", "line-break-[0m"),
        ("\udcff", "class"),
        ("क्\u200dष", "क्\u200dष"),  # the joiner belongs to the word
        ("con", "-con"),
        ("Aux.1", "-Aux.1"),
        ("lpt9", "-lpt9"),
        ("contest", "contest"),
        ("", "class"),
    ],
)
def test_only_what_a_file_system_refuses_is_replaced(text, name):
    assert file_name(text, "class") == name


def test_names_that_some_file_system_takes_for_one_have_the_same_key():
    assert same_name("Cafe\u0301") == same_name("café")
    assert same_name("a") != same_name("b")
