"""Runs of a tiny network: two that are finished, and one that was stopped."""

from dataclasses import replace

import pytest

from verydeep.data import synthetic
from verydeep.errors import Interrupted
from verydeep.train.optimizer.config import OptimizerConfig
from verydeep.train.recipe import Recipe
from verydeep.train.run import TrainingWatcher
from verydeep.train.train import train_network

TINY = Recipe(
    model="4 M | gap", epochs=2, batch_size=50, precision="fp32", validation=0.2,
    optimizer=OptimizerConfig(name="sgd", lr=0.02),
)  # fmt: skip


class StopsAtOnce(TrainingWatcher):
    def wants_to_stop(self):
        return True


@pytest.fixture(scope="session")
def runs(tmp_path_factory):
    """Two finished runs in a folder of their own, and one that was stopped."""
    folder = tmp_path_factory.mktemp("runs")
    data = synthetic.dataset()
    train_network(TINY, data, folder / "cells" / "one", device="cpu")
    train_network(replace(TINY, seed=7, epochs=1), data, folder / "cells" / "two", device="cpu")
    with pytest.raises(Interrupted):
        train_network(TINY, data, folder / "stopped", device="cpu", watcher=StopsAtOnce())
    return folder
