"""The vanishing gradient, seen: its norm at each layer as training begins, from 8 to 56 layers."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import log10
from statistics import fmean

from verydeep.architecture.architecture import Norm
from verydeep.models.initialization import Init
from verydeep.study.residual import line
from verydeep.study.trial import PROBE_STEPS, Outcome, Study, Trial
from verydeep.train.optimizer import OptimizerConfig
from verydeep.train.recipe import Recipe
from verydeep.train.schedule import ScheduleConfig

DEPTHS = (8, 20, 32, 56)
BATCH = 64


@dataclass(frozen=True)
class _Build:
    """How a network is made trainable, or not."""

    init: Init
    norm: Norm = "none"
    residual: bool = False


BUILDS = {
    "N(0, 0.01)": _Build("normal-0.01"),
    "Glorot": _Build("glorot"),
    "He": _Build("he"),
    "He, batch norm": _Build("he", norm="batch"),
    "He, shortcuts": _Build("he", residual=True),
    "He, batch norm, shortcuts": _Build("he", norm="batch", residual=True),
}


def _trials(full: bool) -> tuple[Trial, ...]:
    return tuple(
        Trial(
            group=f"{depth} layers",
            variant=name,
            recipe=Recipe(
                model=line(depth, residual=build.residual),
                size=28 if full else 16,
                norm=build.norm,
                init=build.init,
                epochs=1,
                batch_size=BATCH,
                seed=seed,
                precision="fp32",
                optimizer=OptimizerConfig(name="sgd", lr=0.01, momentum=0.9, weight_decay=0.0),
                schedule=ScheduleConfig(name="constant"),
            ),
            images=BATCH * max(PROBE_STEPS),  # one epoch is as many steps as are looked at
            kind="probe",
        )
        for depth in DEPTHS
        for name, build in BUILDS.items()
        for seed in range(3)
    )


def span(outcomes: Sequence[Outcome], step: int = 0) -> tuple[float, float] | None:
    """The least and the greatest norm of a layer's gradient before ``step``: means of the runs' exponents.

    None where no layer of any run had a gradient. The classes' own layer does not count.
    """
    ends = []
    for outcome in outcomes:
        looks = [look for look in outcome.gradients if look.step == step and look.norm > 0]
        norms = [look.norm for look in looks if look.place < len(looks)]
        if norms:
            ends.append((log10(min(norms)), log10(max(norms))))
    if not ends:
        return None
    return 10 ** fmean(least for least, _ in ends), 10 ** fmean(greatest for _, greatest in ends)


def _conclude(outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    deepest, said = f"{DEPTHS[-1]} layers", []
    for name in BUILDS:
        found = span([run for run in outcomes if (run.group, run.variant) == (deepest, name)])
        said.append(f"{name}: {found[0]:.0e} to {found[1]:.0e}" if found else f"{name}: none that is finite")
    return (
        f"The norm of a layer's gradient in a net of {deepest} before the first step, from the least to the "
        f"greatest layer, by how the net begins. {'; '.join(said)}.",
    )


STUDY = Study(
    name="gradients",
    title="The vanishing gradient, seen",
    question="How large is the gradient at each layer as training begins, and what do ReLU with He's "
    "initialization, batch norm and the shortcut each do about it?",
    source="Glorot and Bengio 2010; Ioffe and Szegedy 2015; He et al. 2015, 1502.01852 and 1512.03385",
    protocol="Nets of 6n + 2 layers with 8, 16 and 32 channels, images of 16 px, fp32 (gradients in fp64); "
    "the norm of the gradient of each layer's weights on one batch of 64, before the first step, after "
    f"{' and after '.join(map(str, PROBE_STEPS[1:]))} of SGD at a rate of 0.01.",
    trials=_trials,
    conclude=_conclude,
)
