"""Runs that stop, and what is in their folders: for tests of what a resumed training ends with."""

from safetensors.torch import load_file

from verydeep.train.run import TrainingWatcher
from verydeep.train.run_folder import RunFolder


class StopAfter(TrainingWatcher):
    """Wants to stop after so many steps."""

    def __init__(self, steps):
        self.steps = steps

    def stepped(self, state):
        self.steps -= 1

    def wants_to_stop(self):
        return self.steps <= 0


def tensors(run):
    """Those of the model that the run has kept."""
    return load_file(RunFolder(run).model)
