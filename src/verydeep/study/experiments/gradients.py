"""The study of the vanishing gradient: its norm at each layer at the start of training, 8 to 56 layers."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log10
from statistics import fmean

from verydeep.architecture.architecture import Norm
from verydeep.models.init_method import Init
from verydeep.study.experiments.residual import architecture_string
from verydeep.study.trial import PROBE_STEPS, Outcome, Study, Trial
from verydeep.train.optimizer.config import OptimizerConfig
from verydeep.train.optimizer.schedule import ScheduleConfig
from verydeep.train.recipe import Recipe

DEPTHS = (8, 20, 32, 56)
BATCH = 64


@dataclass(frozen=True)
class _Variant:
    """The initialization, norm and shortcuts of a network."""

    init: Init
    norm: Norm = "none"
    residual: bool = False


VARIANTS = {
    "N(0, 0.01)": _Variant("normal-0.01"),
    "Glorot": _Variant("glorot"),
    "He": _Variant("he"),
    "He, batch norm": _Variant("he", norm="batch"),
    "He, shortcuts": _Variant("he", residual=True),
    "He, batch norm, shortcuts": _Variant("he", norm="batch", residual=True),
}


def _trials(full: bool) -> tuple[Trial, ...]:
    return tuple(
        Trial(
            group=f"{depth} layers",
            variant=name,
            recipe=Recipe(
                model=architecture_string(depth, residual=variant.residual),
                size=28 if full else 16,
                norm=variant.norm,
                init=variant.init,
                epochs=1,
                batch_size=BATCH,
                seed=seed,
                precision="fp32",
                optimizer=OptimizerConfig(name="sgd", lr=0.01, momentum=0.9, weight_decay=0.0),
                schedule=ScheduleConfig(name="constant"),
            ),
            images=BATCH * max(PROBE_STEPS),  # one epoch has exactly these steps
            kind="probe",
        )
        for depth in DEPTHS
        for name, variant in VARIANTS.items()
        for seed in range(3)
    )


def norm_range(outcomes: Sequence[Outcome], step: int = 0) -> tuple[float, float] | None:
    """The smallest and the largest gradient norm of a layer before ``step``: geometric means over the runs.

    None where no layer of any run has a gradient. The last layer, which gives the classes, does not count.
    """
    exponents = []
    for outcome in outcomes:
        gradients = [one for one in outcome.gradients if one.step == step and one.norm > 0]
        norms = [one.norm for one in gradients if one.number < len(gradients)]
        if norms:
            exponents.append((log10(min(norms)), log10(max(norms))))
    if not exponents:
        return None
    return 10 ** fmean(low for low, _ in exponents), 10 ** fmean(high for _, high in exponents)


def _conclude(outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    deepest, ranges = f"{DEPTHS[-1]} layers", []
    for name in VARIANTS:
        norms = norm_range([run for run in outcomes if (run.group, run.variant) == (deepest, name)])
        ranges.append(f"{name}: {norms[0]:.0e} to {norms[1]:.0e}" if norms else f"{name}: no finite gradient")
    return (
        f"Gradient norms before the first step in nets with {deepest}, from the layer with the smallest to "
        f"the layer with the largest. {'; '.join(ranges)}.",
    )


STUDY = Study(
    name="gradients",
    title="The vanishing gradient, measured",
    question="How large is the gradient at each layer at the start of training, and how do He initialization "
    "for ReLU, batch norm and shortcuts change it?",
    source="Glorot and Bengio 2010; Ioffe and Szegedy 2015; He et al. 2015, 1502.01852 and 1512.03385",
    protocol="Nets of 6n + 2 layers with 8, 16 and 32 channels, images of 16 px (28 px in the full study), "
    "fp32 (gradients in fp64); the norm of the gradient of each layer's weights on one batch of 64, before "
    f"the first step and after {' and '.join(map(str, PROBE_STEPS[1:]))} steps of SGD with learning rate "
    "0.01.",
    trials=_trials,
    conclude=_conclude,
)
