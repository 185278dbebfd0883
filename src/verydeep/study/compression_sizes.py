"""Findings on sizes: files at a small loss by each method, and accuracy at equal bytes."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import log, log2
from statistics import fmean

import numpy as np

from verydeep.study.compression_groups import (
    BITS_ALONE,
    FP32,
    NARROWED,
    PRUNED,
    bits_name,
    group_name,
    mean_bytes,
    measured,
    runs_of,
    sentence,
    variants_of,
)
from verydeep.study.statistics import Estimate, comparison, difference, estimate, gain_text
from verydeep.study.trial import Outcome

METHODS = {
    BITS_ALONE: "bits alone",
    PRUNED: "unstructured pruning and bits",
    NARROWED: "narrowing and bits",
}
ALLOWED_LOSS = 0.001
"""Of accuracy in [0, 1], on the validation images."""
EQUAL_BITS = 4
"""Of the pruned and the narrowed networks that are compared at equal bytes."""
INDEX_BITS = 5
"""Of the distance from one weight that is not zero to the next, in fully connected layers, which have most of
the weights (Han et al. 2016, section 2)."""


def size_findings(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """How many times smaller files are at a small loss, by each method, and what zeros cost."""
    original = runs_of(outcomes, BITS_ALONE, FP32)
    if not measured(original):
        yield "Not measured: no original is finished."
        return
    smallest = {method: _smallest(outcomes, method, original) for method in METHODS}
    times = [
        f"{mean_bytes(original) / mean_bytes(runs):.0f} times smaller by {METHODS[method]}"
        for method, runs in smallest.items()
        if runs
    ]
    yield (
        f"At no more than {100 * ALLOWED_LOSS:g} points below the original on the validation images, files "
        f"are {', '.join(times) or 'smaller by no method'}. Deep Compression made AlexNet 35 times and VGG16 "
        "49 times smaller on ImageNet."
    )
    for method, runs in smallest.items():
        if not runs:
            yield f"{METHODS[method].capitalize()} loses more at every size that was tried."
        elif (gain := difference(runs, original)) is not None:
            kilobytes = f"{mean_bytes(runs) / 1000:.1f} KB instead of {mean_bytes(original) / 1000:,.0f} KB"
            yield (
                f"{METHODS[method].capitalize()} ({_setting(runs[0], method)}): {kilobytes}; on the test "
                f"images {gain_text(gain)}."
            )
    if smallest[PRUNED]:
        yield _cost_of_zeros(smallest[PRUNED])


def _setting(run: Outcome, method: str) -> str:
    """``4 bits``, or ``1/4 of the weights, 4 bits``."""
    if run.group == method:
        return run.variant
    return f"{run.variant} of the weights, {run.group.removeprefix(group_name(method, ''))}"


def _smallest(outcomes: Sequence[Outcome], method: str, original: Iterable[Outcome]) -> list[Outcome]:
    """The runs with the smallest files of those that lose little enough; empty where all lose more."""
    names = dict.fromkeys((run.group, run.variant) for run in outcomes if run.group.startswith(method))
    settings = [
        runs_of(outcomes, group, variant)
        for group, variant in names
        if FP32 not in (variant, group.removeprefix(group_name(method, "")))
    ]
    before = {run.seed: run.compressed.val_top1 for run in original if run.compressed}
    kept = [runs for runs in settings if _is_kept(runs, before)]
    return min(kept, key=mean_bytes, default=[])


def _is_kept(runs: Iterable[Outcome], before: Mapping[int, float]) -> bool:
    """Whether the mean accuracy on the validation images is not much lower than ``before``, given by seed."""
    lost = [
        before[run.seed] - run.compressed.val_top1 for run in runs if run.compressed and run.seed in before
    ]
    return len(lost) == len(before) > 0 and fmean(lost) <= ALLOWED_LOSS  # all seeds learned


def _cost_of_zeros(pruned: Sequence[Outcome]) -> str:
    """The bytes that say which weights are not zero: about the entropy at the share of the whole network."""
    share, size = fmean(each.nonzero for each in measured(pruned)), mean_bytes(pruned)
    weights = fmean(run.parameters for run in pruned)
    entropy = -share * log2(share) - (1 - share) * log2(1 - share) if share < 1 else 0.0
    return (
        f"In these pruned files {share:.1%} of the weights are not zero. Which of them these are takes "
        f"about {weights * entropy / 8000:.1f} of the {size / 1000:.1f} KB (entropy of the positions); the "
        f"relative indices of Deep Compression, {INDEX_BITS} bits for each weight that is not zero, would "
        f"take {weights * share * INDEX_BITS / 8000:.1f} KB."
    )


def equal_bytes_findings(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Unstructured pruning against narrowing and against fewer bits, for each size that both reach."""
    pruned, narrowed = (group_name(method, bits_name(EQUAL_BITS)) for method in (PRUNED, NARROWED))
    baselines = {narrowed: ("narrowed", "narrowing"), BITS_ALONE: ("not pruned", "bits alone")}
    for group, (baseline, method) in baselines.items():
        curves = _curves(run for run in outcomes if run.group == group)
        for share in variants_of(outcomes, pruned):
            runs = runs_of(outcomes, pruned, share)
            if (gain := gain_at_equal_bytes(runs, curves)) is not None:
                size = f"{mean_bytes(runs) / 1000:.1f} KB"
                compared = f"{method} and unstructured pruning in {bits_name(EQUAL_BITS)}, both {size}"
                yield sentence(comparison(gain, f"pruned to {share}", baseline, compared))


_Curve = Sequence[tuple[float, float]]
"""The logarithm of the bytes, ascending, and the test accuracy."""


def _curves(runs: Iterable[Outcome]) -> dict[int, _Curve]:
    """The accuracy by the size of the file, for each seed."""
    points: dict[int, list[tuple[float, float]]] = {}
    for run in runs:
        if run.compressed is not None and run.test_top1 is not None:
            points.setdefault(run.seed, []).append((log(run.compressed.bytes), run.test_top1))
    return {seed: sorted(curve) for seed, curve in points.items()}


def gain_at_equal_bytes(runs: Iterable[Outcome], curves: Mapping[int, _Curve]) -> Estimate | None:
    """The test accuracy of ``runs`` minus that of ``curves`` at the same bytes, paired by seed.

    Between two sizes of a curve, accuracy is linear in the logarithm of the bytes. None where a run is beyond
    the sizes of its curve.
    """
    gains = []
    for run in runs:
        curve = curves.get(run.seed)
        if run.compressed is None or run.test_top1 is None or curve is None:
            continue
        sizes, accuracies = zip(*curve, strict=True)
        size = log(run.compressed.bytes)
        if not sizes[0] <= size <= sizes[-1]:
            return None
        gains.append(run.test_top1 - float(np.interp(size, sizes, accuracies)))
    return estimate(gains) if gains else None
