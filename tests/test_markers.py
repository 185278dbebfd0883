"""The markers that tests get by their file."""

from .conftest import SLOW_FILES, TESTS


def test_the_files_of_slow_tests_are_there():
    assert [file for file in SLOW_FILES if not (TESTS / file).is_file()] == []
