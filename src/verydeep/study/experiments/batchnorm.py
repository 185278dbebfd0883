"""The study of batch norm: one network with and without it, over learning rates (Ioffe and Szegedy 2015)."""

from collections.abc import Sequence
from dataclasses import replace
from statistics import fmean

from verydeep.architecture.architecture import Norm
from verydeep.study.compression_groups import sentence
from verydeep.study.experiments.depth import ARCHITECTURES, RECIPE
from verydeep.study.experiments.initialization import least_learned
from verydeep.study.statistics import comparison, difference
from verydeep.study.trial import Outcome, PublishedTable, Study, Trial, by_group, by_variant

RATE = "rate "
RATES = (0.005, 0.02, 0.08, 0.32)
WITHOUT, WITH = "no batch norm", "batch norm"
NORMS: dict[str, Norm] = {WITHOUT: "none", WITH: "batch"}
IMAGES, EPOCHS, SEEDS = 6_000, 6, 3
FULL_EPOCHS, FULL_SEEDS = 8, 5


def _trials(full: bool) -> tuple[Trial, ...]:
    return tuple(
        Trial(
            group=f"{RATE}{rate:g}",
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
    runs = by_variant(outcomes)
    least = least_learned(outcomes)
    learned = {name: _learned(runs.get(name, []), least) for name in NORMS}
    rates = "; ".join(f"{name} {', '.join(found) or 'none'}" for name, found in learned.items())
    return (f"Rates at which all runs learned: {rates}.", _compared(learned))


def _learned(runs: Sequence[Outcome], least: float) -> dict[str, list[Outcome]]:
    """The runs of each rate at which all of them have more than the ``least`` accuracy."""
    return {
        group.removeprefix(RATE): same
        for group, same in by_group(runs).items()
        if all((run.test_top1 or 0.0) > least for run in same)
    }


def _compared(learned: dict[str, dict[str, list[Outcome]]]) -> str:
    """The two networks, each at the rate with the highest mean accuracy on validation images."""
    if not all(learned.values()):
        return "Not compared: one of the two networks learned at no rate."
    best = {name: max(rates, key=lambda rate: _validation(rates[rate])) for name, rates in learned.items()}
    gain = difference(learned[WITH][best[WITH]], learned[WITHOUT][best[WITHOUT]])
    assert gain is not None  # all of these runs learned
    rates = f"at the best rates on validation images, {best[WITHOUT]} and {best[WITH]}"
    found = sentence(comparison(gain, WITH, WITHOUT, f"D without and with batch norm, {rates}"))
    return f"{found} The paper found batch norm better, and best at higher rates."


def _validation(runs: Sequence[Outcome]) -> float:
    return fmean(run.epochs[-1].val_top1 or 0.0 for run in runs)


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
            ("with, 5 times the rate, and the changes of section 4.2.1", "2.1 million", "73.0 %"),
            ("with, 30 times the rate, and the changes of section 4.2.1", "2.7 million", "74.8 %"),
            ("without, 5 times the rate", "does not learn", ""),
        ),
    ),
)
