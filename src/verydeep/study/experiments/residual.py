"""The study of degradation: deeper plain networks are worse, deeper ResNets are not (ResNet, Figure 6)."""

from collections.abc import Sequence

from verydeep.data.augmentation.config import AugmentConfig
from verydeep.study.statistics import Contrast, conclusions
from verydeep.study.trial import Outcome, PublishedTable, Study, Trial
from verydeep.train.optimizer.config import OptimizerConfig
from verydeep.train.optimizer.schedule import ScheduleConfig
from verydeep.train.recipe import Recipe


def architecture_string(depth: int, *, residual: bool, channels: int = 8) -> str:
    """A network of 6n + 2 layers (He et al. 2015, section 4.2) with ``channels`` in its first stage."""
    blocks, stages = (depth - 2) // 6, []
    for stage in range(3):
        width = channels * 2**stage
        first = f"{width}s2 {width}" if stage else f"{width} {width}"
        rest = blocks - 1
        if residual:
            stages.append(f"({first})" + (f" ({width} {width})x{rest}" if rest else ""))
        else:
            stages.append(first + (f" {width}x{2 * rest}" if rest else ""))
    return f"{channels} {' '.join(stages)} | gap"


NETS = {
    f"{kind}{depth}": architecture_string(depth, residual=kind == "resnet")
    for kind in ("plain", "resnet")
    for depth in (20, 56)
}


def _trials(full: bool) -> tuple[Trial, ...]:
    return tuple(
        Trial(
            variant=name,
            recipe=Recipe(
                model=string,
                size=16,
                norm="batch",
                epochs=6,
                batch_size=64,
                seed=seed,
                optimizer=OptimizerConfig(name="sgd", lr=0.1, momentum=0.9, weight_decay=1e-4),
                schedule=ScheduleConfig(name="linear", warmup=0.1),
                augment=AugmentConfig(flip="random"),
            ),
            images=None if full else 6_000,
        )
        for name, string in NETS.items()
        for seed in range(5)
    )


def _conclude(outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    return conclusions(
        outcomes,
        (
            Contrast("plain56", "plain20", "20 and 56 layers without shortcuts", "worse"),
            Contrast("resnet56", "resnet20", "20 and 56 layers with shortcuts", "better"),
            Contrast("resnet56", "plain56", "56 layers without and with shortcuts", "better"),
        ),
    )


STUDY = Study(
    name="residual",
    title="What the shortcut changed",
    question="Plain and residual nets of 20 and 56 layers: does the deeper plain net have a lower accuracy "
    "and a higher training loss (degradation), and do shortcuts prevent it?",
    source="He et al. 2015, arXiv 1512.03385, section 4.2, Figure 6",
    protocol="Half of the paper's channels (8, 16, 32), batch norm, images of 16 px, He "
    "initialization; SGD with momentum 0.9, learning rate 0.1 with linear warmup for a tenth of "
    "the steps and linear decay, weight decay 1e-4, batch size 64, random flips.",
    trials=_trials,
    conclude=_conclude,
    published=PublishedTable(
        caption="CIFAR-10, test error (Table 6; the plain nets only as curves, in Figure 6)",
        header=("network", "test error"),
        rows=(
            ("plain-20, plain-56", "56 layers worse than 20, in training and in test"),
            ("ResNet-20", "8.75 %"),
            ("ResNet-56", "6.97 %"),
        ),
    ),
)
