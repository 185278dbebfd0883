"""Results of compressions with known predictions, for the tests of their page."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from verydeep.analyze.trace import trace
from verydeep.architecture.architecture import Architecture
from verydeep.architecture.preprocess import Preprocess
from verydeep.compress.candidate import Candidate, Measured
from verydeep.compress.comparison import Comparison
from verydeep.compress.result import CompressResult, TestResult
from verydeep.compress.settings import CompressSettings, Limit
from verydeep.evaluate.confidence_intervals import Interval
from verydeep.evaluate.metrics import accuracy
from verydeep.evaluate.paired_difference import Z_ONE_SIDED, paired_difference
from verydeep.models.build import build
from verydeep.models.checkpoint import Checkpoint

CLASSES = ("cat", "dog", "owl")
LABELS = (0,) * 10 + (1,) * 6 + (2,) * 4
BEFORE = (0,) * 9 + (1,) + (1,) * 5 + (2,) + (2,) * 4
"""The original is wrong about one cat and one dog."""
AFTER = (1,) * 3 + (0,) * 5 + (0, 2) + (1,) * 6 + (2,) * 4
"""The result takes three more cats for dogs, is right about the dog, and takes the same cat for an owl."""


def logits(predicted, classes, confidence=0.9):
    """Each prediction has this confidence; the other classes share the rest."""
    probabilities = np.full((len(predicted), classes), (1 - confidence) / (classes - 1), dtype=np.float32)
    probabilities[np.arange(len(predicted)), list(predicted)] = confidence
    return np.log(probabilities)


def comparison(
    labels=LABELS, before=BEFORE, after=AFTER, classes=CLASSES, *, channels=1, side=8, confidence=0.9
) -> Comparison:
    """Both networks on images whose pixels all have the number of the image."""
    numbers = (np.arange(len(before)) % 256).astype(np.uint8)
    return Comparison(
        pixels=np.tile(numbers[:, None, None, None], (1, channels, side, side)),
        labels=None if labels is None else np.array(labels),
        classes=classes,
        before=logits(before, len(classes)),
        after=logits(after, len(classes), confidence),
    )


def network(string, classes=CLASSES, **settings) -> Checkpoint:
    settings = {"input": (1, 16, 16)} | settings
    architecture = Architecture.from_string(string, classes=len(classes), **settings)
    preprocess = Preprocess(size=architecture.input[1], mean=(0.5,), std=(0.3,), channels=1)
    return Checkpoint(build(architecture).eval(), preprocess, classes, {})


def measured(checkpoint, **changes) -> Measured:
    totals = trace(checkpoint.model.architecture).totals
    values = Measured(
        architecture=checkpoint.model.architecture.string, top1=0.9, difference=Interval(0.0, -0.1, 0.1),
        latency_ms=2.0, original_ms=2.0, bytes=90_000, macs=totals.macs, parameters=totals.parameters,
    )  # fmt: skip
    return replace(values, **changes)


def candidate(name, string="8 M 8 | gap", *, kept=True, why="because", value=0.0, **changes) -> Candidate:
    """A candidate whose difference to the original is ``value``, within 5 points."""
    checkpoint = network(string)
    changes["difference"] = Interval(value, value - 0.05, value + 0.05)
    return Candidate(name, checkpoint, measured(checkpoint, **changes), kept, why)


def candidates() -> tuple[Candidate, ...]:
    return (
        candidate("original", "16 M 32 | gap", why=""),
        candidate("narrow", "8 M 8 | gap", kept=False, value=-0.4, latency_ms=0.5, bytes=2_000),
        candidate("narrow", "8 M 24 | gap", value=-0.1, latency_ms=1.0, bytes=9_000),
        candidate("quantize", "8 M 24 | gap", value=-0.12, latency_ms=1.0, bytes=3_100),
    )


def result(shown=None, *, tried=None, limit=None, **changes) -> CompressResult:
    """The last that is kept is the result, and its measured difference is that of the comparison."""
    shown, tried = shown or comparison(), tried or candidates()
    kept = [each for each in tried if each.kept][-1]
    labels = shown.before.argmax(1) if shown.labels is None else shown.labels
    difference = paired_difference(shown.before, shown.after, labels, z=Z_ONE_SIDED)
    values = CompressResult(
        run=Path("my runs/small"),
        source=tried[0].checkpoint,
        network=kept.checkpoint,
        original=tried[0].measured,
        result=replace(kept.measured, difference=difference, top1=accuracy(shown.after, labels), bytes=3_000),
        candidates=tuple(tried),
        comparison=shown,
        test=TestResult(
            images=200, before=0.9, after=0.85, difference=Interval(-0.05, -0.08, -0.02), top1=0.85
        ),
        balanced=False,
        images=len(labels),
        settings=CompressSettings(limit=limit or Limit(kind="drop", value=15.0)),
        notes=(),
        seconds=61.0,
    )  # fmt: skip
    return replace(values, **changes)
