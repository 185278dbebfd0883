"""Event files of TensorBoard, read back by its own reader."""

import math

import pytest

from verydeep.errors import DataError
from verydeep.saved_runs import event_files
from verydeep.saved_runs.event_files import require_tensorboard, write_event_files
from verydeep.saved_runs.saved_run import read_run


def scalars(path):
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = reader.EventAccumulator(str(path))
    events.Reload()
    return {
        name: [(each.step, each.value) for each in events.Scalars(name)] for name in events.Tags()["scalars"]
    }


def test_the_epochs_of_each_run_are_scalars(runs, tmp_path):
    pytest.importorskip("tensorboard", reason="needs the extra `tensorboard`")
    names = {"cells/one": runs / "cells" / "one", "stopped": runs / "stopped"}
    read = {name: read_run(path) for name, path in names.items()}
    for _ in range(2):  # the second call replaces the files of the first
        assert write_event_files(read, tmp_path) == 1  # the other has no epochs
    (file,) = (tmp_path / "cells" / "one").iterdir()
    assert file.name.endswith(".verydeep")
    written, history = scalars(file.parent), read["cells/one"].history
    for name in ("train_loss", "val_loss", "val_top1", "lr", "seconds"):
        assert [step for step, _ in written[name]] == [1, 2]
        for (_, value), epoch in zip(written[name], history, strict=True):
            assert math.isclose(value, getattr(epoch, name), rel_tol=1e-6)
    assert "epoch" not in written and "is_best" not in written


def test_without_the_package_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(event_files, "find_spec", lambda name: None)
    with pytest.raises(DataError, match="tensorboard"):
        require_tensorboard()
