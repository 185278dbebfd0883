"""The steps ``narrow`` and ``distill``: the widths that meet the limit, without training and with it."""

import time
from contextlib import suppress
from dataclasses import replace
from functools import cached_property

from verydeep.compress.candidate import Candidate
from verydeep.compress.compression import Compression
from verydeep.compress.narrow.halving import search_path, tries, try_points
from verydeep.compress.narrow.narrowing import Narrowing, prepare_narrowing
from verydeep.compress.narrow.search import Point
from verydeep.compress.narrow.widths import narrowable_widths
from verydeep.compress.origin import trains_with_flips
from verydeep.compress.steps.distill import (
    EPOCHS,
    FORECAST_IMAGES,
    Teacher,
    distill,
    read_teacher,
    seconds_an_epoch,
)
from verydeep.errors import CompressionError
from verydeep.models.checkpoint import Checkpoint
from verydeep.number_format import duration

RECOVERABLE = 1.5
"""Percentage points: what loses more than so many beyond the limit is not worth training."""


def try_widths(state: Compression) -> list[Candidate]:
    """Narrow the network that is kept as far as the limit allows, or as it asks for.

    Returns:
        All networks that were measured.

    Raises:
        CompressionError: where the network cannot be narrowed and will not be quantized.
    """
    limit, settings = state.settings.limit, state.settings
    if state.reaches_limit:
        state.on_line(f"narrow: not needed; {limit.how_near(state.kept.measured)}")
        return []
    try:
        narrowable_widths(state.network.model)
    except CompressionError as error:
        if not settings.quantizes:
            raise
        state.on_line(f"narrow: {error}")
        return []
    search = _Search(state)
    narrowed = search.narrow()
    if settings.trains("distill"):
        return [*narrowed, *search.distill()]
    return narrowed


class _Search:
    """The search over the widths of the network that is kept as the search begins."""

    def __init__(self, state: Compression) -> None:
        self.state, self.source = state, state.network
        self.narrowed: dict[int, Candidate] = {}
        """By the index of the point."""

    @cached_property
    def narrowing(self) -> Narrowing:
        """Not needed where the journal has all that was narrowed."""
        began = time.perf_counter()
        narrowing = prepare_narrowing(self.source, self.state.calibration_of(self.source))
        self.state.on_line(
            f"narrow: one pass over {len(narrowing.calibration):,} images took "
            f"{duration(time.perf_counter() - began)}"
        )
        return narrowing

    @cached_property
    def points(self) -> tuple[Point, ...]:
        """From the widest to the narrowest."""
        settings = self.state.settings
        return self.state.journal.points(
            lambda: search_path(self.narrowing, settings.limit, settings.batch, settings.threads)
        )

    def narrow(self) -> list[Candidate]:
        """Without training: by halving, all networks that were measured; the best is kept."""
        state, count = self.state, tries(self.points)
        state.on_line(
            f"narrow: {len(self.points)} architectures were found; at most {count} of them are measured"
        )

        def is_met(index: int) -> bool:
            began = time.perf_counter()
            self.narrowed[index] = state.tried(f"narrow {self.points[index].channels}", lambda: state.judged(
                "narrow", self.narrowing.narrowed(self.points[index].channels).checkpoint
            ))  # fmt: skip
            left = (count - 1) * (time.perf_counter() - began)
            if len(self.narrowed) == 1 and left > 1:  # nothing where the journal has it
                state.on_line(f"narrow: about {duration(left)} to come")
            return self.narrowed[index].kept

        try_points(range(len(self.points)), state.settings.limit, is_met)
        tried = list(self.narrowed.values())
        state.keep_best(tried)
        return tried

    def distill(self) -> list[Candidate]:
        """With training, as long as the budget lasts: all networks that were measured; the best is kept."""
        tried: list[Candidate] = []
        indices = self._worth_training()

        def is_met(index: int) -> bool:
            tried.append(self.state.tried(
                f"distill {self.points[index].channels}", lambda: self._distilled(index)
            ))  # fmt: skip
            return tried[-1].kept

        with suppress(_BudgetSpent):
            try_points(indices, self.state.settings.limit, is_met)
        self.state.keep_best(tried)
        return tried

    def _worth_training(self) -> range:
        """The points that training may bring within the limit: none that meets it already."""
        limit = self.state.settings.limit
        met = [index for index, each in self.narrowed.items() if each.kept]
        if limit.kind != "drop":
            return range(min(met), min(met) + 1) if met else range(0)
        hopeless = [i for i, each in self.narrowed.items() if limit.excess(each.measured) > RECOVERABLE]
        return range(max(met, default=-1) + 1, min(hopeless, default=len(self.points)))

    def _distilled(self, index: int) -> Candidate:
        state = self.state
        if state.journal.content.distill_ended:  # the clock has decided it, in an earlier process
            raise _BudgetSpent
        calibration = state.calibration_of(self.source)
        student = self.narrowing.narrowed(self.points[index].channels).checkpoint
        forecast, name = self._forecast(student), student.model.architecture.string
        if forecast > state.seconds_to("distill"):
            state.on_line(f"distill: {name} would take {duration(forecast)}, beyond --budget")
            state.journal.end_distill()
            raise _BudgetSpent
        state.on_line(f"distill: {name}, about {duration(forecast)}")
        result = distill(student, calibration, self._teacher, EPOCHS)
        return state.judged("distill", result.checkpoint, result.done)

    def _forecast(self, student: Checkpoint) -> float:
        """Seconds of the training of ``student``, and of the teacher's pass where it is not made yet."""
        calibration = self.state.calibration_of(self.source)
        if "_teacher" in vars(self):
            return EPOCHS * seconds_an_epoch(student, calibration, self._teacher)
        share = min(1.0, FORECAST_IMAGES / len(calibration))
        began = time.perf_counter()
        teacher = self._teacher_of(FORECAST_IMAGES)
        reading = (time.perf_counter() - began) / share
        return reading + EPOCHS * seconds_an_epoch(student, calibration, teacher)

    @cached_property
    def _teacher(self) -> Teacher:
        return self._teacher_of(None)

    def _teacher_of(self, count: int | None) -> Teacher:
        """The logits of the original for the first ``count`` training images; None is all of them."""
        original, labels = self.state.original, self.state.images.train.labels
        images = self.state.calibration_of(original)
        some = replace(images, pixels=images.pixels[:count])
        flips = trains_with_flips(original)
        return read_teacher(original, some, None if labels is None else labels[:count], flips=flips)


class _BudgetSpent(Exception):
    """No time is left for another training."""
