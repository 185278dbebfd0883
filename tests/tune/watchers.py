"""A watcher that interrupts a run."""

from verydeep.tune.prepare import TuneWatcher


class StopAfterStrategy(TuneWatcher):
    """Wants to stop as soon as a strategy was run: the linear probe is the first."""

    stopped = False

    def finished_strategy(self, result):
        self.stopped = True

    def wants_to_stop(self):
        return self.stopped
