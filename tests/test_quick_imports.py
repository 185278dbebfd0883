"""Imports without the garbage collector: what they leave behind, and what it may still collect."""

import gc
import sys

import pytest

from verydeep.quick_imports import quick_imports


@pytest.fixture
def module(tmp_path, monkeypatch):
    """The name of a module that can be imported once."""
    (tmp_path / "imported_quickly.py").write_text(
        "import gc\nwas_enabled = gc.isenabled()\n", encoding="utf-8"
    )
    monkeypatch.syspath_prepend(tmp_path)
    yield "imported_quickly"
    sys.modules.pop("imported_quickly", None)
    gc.unfreeze()


def test_the_collector_rests_while_modules_are_imported(module):
    frozen = gc.get_freeze_count()
    with quick_imports():
        imported = __import__(module)
    assert gc.isenabled() and not imported.was_enabled
    assert gc.get_freeze_count() > frozen


def test_nothing_is_kept_where_all_modules_are_there_already():
    frozen = gc.get_freeze_count()
    with quick_imports():
        __import__("json")
    assert gc.isenabled() and gc.get_freeze_count() == frozen


def test_a_collector_that_is_off_stays_off_and_a_failed_import_turns_it_on_again():
    gc.disable()
    try:
        with quick_imports():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
    with pytest.raises(ModuleNotFoundError), quick_imports():
        __import__("no_such_module")
    assert gc.isenabled()
