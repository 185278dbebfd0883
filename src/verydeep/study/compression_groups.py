"""How the trials of the study of compression are named, and their outcomes found."""

from collections.abc import Iterable
from statistics import fmean

from verydeep.study.trial import CompressedNetwork, Outcome

BITS_ALONE, PRUNED, NARROWED, OTHERWISE = "bits alone", "pruned", "narrowed", "1/4, other training"
"""The method of a group of trials; of pruned and narrowed networks a group has their bits too."""
FP32, REFITTED, DISTILLED, SCRATCH_E, SCRATCH_B = "fp32", "refitted", "distilled", "Scratch-E", "Scratch-B"
OTHERWISE_TRAINED = "1/4"
"""The share of the weights whose narrow architecture is trained from scratch too."""


def bits_name(bits: int) -> str:
    """``4 bits``."""
    return f"{bits} bits"


def group_name(method: str, stored: str) -> str:
    """The group of pruned or narrowed networks in fp32 or in some bits: ``pruned, 4 bits``."""
    return f"{method}, {stored}"


def runs_of(outcomes: Iterable[Outcome], group: str, variant: str) -> list[Outcome]:
    """The outcomes of one variant."""
    return [run for run in outcomes if (run.group, run.variant) == (group, variant)]


def variants_of(outcomes: Iterable[Outcome], group: str) -> list[str]:
    """In the order in which they appear."""
    return list(dict.fromkeys(run.variant for run in outcomes if run.group == group))


def measured(runs: Iterable[Outcome]) -> list[CompressedNetwork]:
    """Of the runs that are finished."""
    return [run.compressed for run in runs if run.compressed is not None]


def mean_bytes(runs: Iterable[Outcome]) -> float:
    """Of the files of ``runs``."""
    return fmean(each.bytes for each in measured(runs))


def sentence(text: str) -> str:
    """``text`` with a capital letter and a full stop."""
    return f"{text[0].upper()}{text[1:]}."
