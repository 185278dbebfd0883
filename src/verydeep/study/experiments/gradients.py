"""The study of the vanishing gradient: its norm at each layer at the start of training, 8 to 56 layers."""

from collections.abc import Sequence
from dataclasses import dataclass

from verydeep.architecture.architecture import Norm
from verydeep.models.init_method import Init
from verydeep.study.experiments.residual import architecture_string
from verydeep.study.statistics import gradient_range
from verydeep.study.trial import PROBE_STEPS, Outcome, PublishedTable, Study, Trial
from verydeep.train.optimizer.config import OptimizerConfig
from verydeep.train.optimizer.schedule import ScheduleConfig
from verydeep.train.recipe import Recipe

DEPTHS = (8, 20, 32, 56)
BATCH = 64
SEEDS, FULL_SEEDS = 3, 5


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
        for seed in range(FULL_SEEDS if full else SEEDS)
    )


def _conclude(outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    deepest, ranges = f"{DEPTHS[-1]} layers", []
    for name in VARIANTS:
        norms = gradient_range([run for run in outcomes if (run.group, run.variant) == (deepest, name)])
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
    published=PublishedTable(
        caption="Findings of the papers",
        header=("networks", "initialization", "finding"),
        rows=(
            (
                "VGG B, 10 convolutions (He et al. 2015, 1502.01852, section 2.2)",
                "N(0, 0.01)",
                "from the last convolution to the second the gradient shrinks to 1/17,000 of that of He",
            ),
            ("30 layers, ImageNet (the same, Figure 3)", "Glorot, He", "Glorot stalls, He trains"),
            (
                "plain nets of 34 layers, ImageNet (He et al. 2015, 1512.03385, section 4.1)",
                "He, batch norm",
                "the gradients do not vanish, and still the deeper net is worse than one of 18 layers",
            ),
        ),
    ),
)
