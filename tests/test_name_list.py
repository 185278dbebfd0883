"""The first names of a list, for a message."""

from verydeep.name_list import first_names


def test_the_first_names_and_how_many_more():
    names = [str(number) for number in range(1_010)]
    assert first_names(names[:5]) == "0, 1, 2, 3, 4"
    assert first_names(names) == "0, 1, 2, 3, 4 and 1,005 more"
    assert first_names(names[:4], 2, "; ") == "0; 1 and 2 more"
    assert first_names([]) == ""
