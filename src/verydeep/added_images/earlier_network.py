"""The network of an earlier run beside the new one, on the test images that both can classify."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unicodedata import normalize

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from verydeep.added_images.earlier_run import EarlierRun
from verydeep.data.stream import stream
from verydeep.decoding.batch_size import auto_batch_size
from verydeep.evaluate.paired_comparison import PairedComparison, compare_paired
from verydeep.image_sources.samples import Samples
from verydeep.models.checkpoint import Checkpoint
from verydeep.models.classifier import Classifier
from verydeep.models.logits import predict_logits
from verydeep.number_format import percent
from verydeep.train.start.pretrained import last_layer


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The earlier network (the first) and the new one (the second) on the same test images."""

    run: Path
    """Of the earlier network."""
    left_out: int
    """Test images of classes that the earlier network does not know."""
    paired: PairedComparison

    @property
    def text(self) -> str:
        """Both figures, the difference with its interval, and what it means, in one line."""
        paired, gain = self.paired, self.paired.difference
        verdict = "a significant difference" if paired.is_significant else "no significant difference"
        line = (
            f"{self.run} on the same {paired.images:,} test images: balanced accuracy "
            f"{percent(paired.first.value)}, now {percent(paired.second.value)}: {100 * gain.value:+.2f} "
            f"points (95 % interval {100 * gain.low:+.1f} to {100 * gain.high:+.1f}), {verdict}; "
            f"{paired.only_second:,} right now that were wrong, {paired.only_first:,} the other way around"
        )
        if not self.left_out:
            return line
        return f"{line}; {self.left_out:,} test images of new classes are left out"

    @property
    def values(self) -> dict[str, Any]:
        """For JSON."""
        return {"run": str(self.run), "left_out": self.left_out} | self.paired.values


def compare_with_earlier(
    run: EarlierRun,
    test: Samples,
    logits: Float32[Tensor, "test classes"],
    earlier_logits: Callable[[Samples], Float32[Tensor, "known earlier"]],
) -> Comparison | None:
    """The comparison on the images of ``test`` whose class ``run`` knows; None where there are none.

    Args:
        run: the earlier run.
        test: the test images.
        logits: of the new network.
        earlier_logits: gives those of the earlier network, for some of the test images.
    """
    columns = _columns(run.network.classes, test.classes)
    known = torch.from_numpy(np.flatnonzero(np.isin(test.labels, columns)))
    if not len(known):
        return None
    samples = test.select(known)
    # The earlier network never predicts a class that it does not know.
    before = torch.full((len(known), len(test.classes)), -torch.inf)
    before[:, columns] = earlier_logits(samples)
    return Comparison(
        run=run.path,
        left_out=len(test) - len(known),
        paired=compare_paired(before.numpy(), logits[known].numpy(), samples.labels, samples.groups),
    )


def _columns(earlier: tuple[str, ...], classes: tuple[str, ...]) -> Tensor:
    """The indices of the ``earlier`` classes among ``classes``, which has all of them."""
    indices = {normalize("NFC", name): index for index, name in enumerate(classes)}
    return torch.tensor([indices[normalize("NFC", name)] for name in earlier])


def predicted_by(
    network: Checkpoint, samples: Samples, device: torch.device
) -> Float32[Tensor, "count classes"]:
    """The logits of ``network`` for images, which are read again."""
    model, preprocess = network.model.to(device), network.preprocess
    batches = stream(samples.sources, preprocess, auto_batch_size(preprocess.size**2))
    return torch.cat([predict_logits(model, batch.pixels, preprocess) for batch in batches])


def has_same_features(one: Checkpoint, other: Checkpoint) -> bool:
    """Whether two networks give the last layer the same features: all but that layer is the same."""
    first, second = one.model.architecture, other.model.architecture
    if one.preprocess != other.preprocess or (first.string, first.norm) != (second.string, second.norm):
        return False
    tensors, others = _below_last_layer(one.model), _below_last_layer(other.model)
    return tensors.keys() == others.keys() and all(
        torch.equal(tensor.cpu(), others[name].cpu()) for name, tensor in tensors.items()
    )


def _below_last_layer(model: Classifier) -> dict[str, Tensor]:
    last = {id(parameter) for parameter in last_layer(model).parameters()}
    state = model.state_dict(keep_vars=True)
    return {name: tensor.detach() for name, tensor in state.items() if id(tensor) not in last}
