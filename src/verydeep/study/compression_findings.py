"""What the outcomes of the study of compression say about the claims of its papers."""

from collections.abc import Iterator, Sequence
from statistics import median

from verydeep.study.compression_groups import (
    DISTILLED,
    FP32,
    NARROWED,
    OTHERWISE,
    OTHERWISE_TRAINED,
    PRUNED,
    SCRATCH_B,
    SCRATCH_E,
    group_name,
    measured,
    runs_of,
    sentence,
    variants_of,
)
from verydeep.study.compression_sizes import equal_bytes_findings, size_findings
from verydeep.study.statistics import Contrast, comparison, conclusion, difference
from verydeep.study.trial import Outcome


def conclude(outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    """The findings, the sizes first."""
    return (
        *size_findings(outcomes),
        *equal_bytes_findings(outcomes),
        *_latency(outcomes),
        *_from_scratch(outcomes),
    )


def _latency(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """How many times faster pruned and narrowed networks are."""
    texts = []
    for method in (PRUNED, NARROWED):
        group = group_name(method, FP32)
        by_share = {
            share: [each.speedup for each in measured(runs_of(outcomes, group, share)) if each.speedup]
            for share in variants_of(outcomes, group)
        }
        speedups = [f"{median(times):.2f} ({share})" for share, times in by_share.items() if times]
        if speedups:
            texts.append(f"{method} {', '.join(speedups)}")
    if texts:
        yield (
            "Times faster than the original by the clock (batch 1, one thread, fp32), by the share of the "
            f"weights: {'; '.join(texts)}. A weight that is zero takes as long to compute as any other."
        )


def _from_scratch(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Training the same narrow architecture from scratch against fine-tuning and distillation."""
    tuned = runs_of(outcomes, group_name(NARROWED, FP32), OTHERWISE_TRAINED)
    scratch_e, scratch_b, distilled = (
        runs_of(outcomes, OTHERWISE, variant) for variant in (SCRATCH_E, SCRATCH_B, DISTILLED)
    )
    yield conclusion(
        difference(scratch_e, tuned),
        Contrast(
            SCRATCH_E, "fine-tuned", "fine-tuning and training from scratch, equal epochs", "no difference"
        ),
    )
    yield conclusion(
        difference(scratch_b, tuned),
        Contrast(SCRATCH_B, "fine-tuned", "fine-tuning and training from scratch, equal compute", "better"),
    )
    compared = {
        "fine-tuned": (tuned, "training on labels and on the logits of the original"),
        SCRATCH_B: (scratch_b, "training from scratch and on the logits of the original"),
    }
    for baseline, (runs, words) in compared.items():
        if (gain := difference(distilled, runs)) is not None:
            yield sentence(comparison(gain, DISTILLED, baseline, words))
