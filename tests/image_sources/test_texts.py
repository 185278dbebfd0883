"""Many short texts in little memory."""

from hypothesis import given
from hypothesis import strategies as st

from verydeep.image_sources.texts import Texts


@given(st.lists(st.text(st.characters(codec=None, exclude_categories=()))))
def test_texts_are_those_that_were_added(texts):
    column = Texts()
    for text in texts:
        column.append(text)
    assert len(column) == len(texts)
    assert [column[index] for index in range(len(texts))] == texts


def test_bytes_that_are_not_utf_8_are_kept():
    column, name = Texts(), b"latin-\xe4.png".decode(errors="surrogateescape")
    column.append(name)
    assert column[0] == name
