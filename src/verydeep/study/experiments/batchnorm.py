"""The study of batch norm: one network with and without it, over learning rates (Ioffe and Szegedy 2015)."""

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

from verydeep.architecture.architecture import Norm
from verydeep.study.experiments.depth import ARCHITECTURES, RECIPE
from verydeep.study.statistics import comparison, difference
from verydeep.study.trial import Outcome, PublishedTable, Study, Trial

RATES = (0.005, 0.02, 0.08, 0.32)
WITHOUT, WITH = "plain", "batch norm"
NORMS: dict[str, Norm] = {WITHOUT: "none", WITH: "batch"}
LEARNED = 0.5
"""The test accuracy of ten classes above which a network has learned: far above chance, 0.1."""
IMAGES, EPOCHS, SEEDS = 6_000, 6, 3
FULL_EPOCHS, FULL_SEEDS = 8, 5


def _trials(full: bool) -> tuple[Trial, ...]:
    return tuple(
        Trial(
            group=f"rate {rate:g}",
            variant=name,
            recipe=replace(
                RECIPE,
                model=ARCHITECTURES["D"],
                norm=norm,
                epochs=FULL_EPOCHS if full else EPOCHS,
                seed=seed,
                validation=0.1,
                optimizer=replace(RECIPE.optimizer, lr=rate),
            ),
            images=None if full else IMAGES,
        )
        for rate in RATES
        for name, norm in NORMS.items()
        for seed in range(FULL_SEEDS if full else SEEDS)
    )


def _conclude(outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    chosen = {name: _best_rate([run for run in outcomes if run.variant == name]) for name in NORMS}
    learned = "; ".join(f"{name} {_learned(outcomes, name)}" for name in NORMS)
    sentences = [f"Rates at which all runs learned: {learned}."]
    with_, without = chosen[WITH], chosen[WITHOUT]
    gain = difference(with_, without) if with_ and without else None
    if gain is not None:
        rates = f"at the best rates on validation images, {without[0].group[5:]} and {with_[0].group[5:]}"
        sentences.append(
            comparison(gain, WITH, WITHOUT, f"D without and with batch norm, {rates}") + ". "
            "The paper found batch norm better, and best at higher rates."
        )
    return tuple(sentences)


def _best_rate(runs: Sequence[Outcome]) -> list[Outcome]:
    """The runs at the rate with the highest mean accuracy on validation images; empty where none learned."""
    by_rate: dict[str, list[Outcome]] = {}
    for run in runs:
        by_rate.setdefault(run.group, []).append(run)
    return max(by_rate.values(), key=_validation, default=[])


def _validation(runs: Sequence[Outcome]) -> float:
    return fmean(
        (run.epochs[-1].val_top1 or 0.0) if run.epochs and run.failed is None else 0.0 for run in runs
    )


def _learned(outcomes: Sequence[Outcome], variant: str) -> str:
    rates = []
    for rate in RATES:
        runs = [run for run in outcomes if (run.group, run.variant) == (f"rate {rate:g}", variant)]
        if runs and all((run.test_top1 or 0.0) > LEARNED for run in runs):
            rates.append(f"{rate:g}")
    return ", ".join(rates) or "none"


STUDY = Study(
    name="batchnorm",
    title="What does batch norm allow?",
    question="D with 16 layers, without and with batch norm, at four learning rates: at which of them does "
    "it learn, and which accuracy does it reach?",
    source="Ioffe and Szegedy 2015, arXiv 1502.03167, section 4.2 and Figure 3",
    protocol="As in the study of depth, with the learning rates 0.005, 0.02, 0.08 and 0.32. A tenth of the "
    "training images is held out; the accuracy on it after the last epoch chooses the best rate of each "
    "network.",
    trials=_trials,
    conclude=_conclude,
    published=PublishedTable(
        caption="Inception on ImageNet: steps to the accuracy of the network without batch norm, and highest "
        "accuracy (Figure 3)",
        header=("network", "steps to 72.2 %", "highest accuracy"),
        rows=(
            ("without batch norm", "31.0 million", "72.2 %"),
            ("with, the same rate", "13.3 million", "72.7 %"),
            ("with, 5 times the rate", "2.1 million", "73.0 %"),
            ("with, 30 times the rate", "2.7 million", "74.8 %"),
            ("without, 5 times the rate", "does not learn", ""),
        ),
    ),
)
