"""The parts of a data set: which images are for training, validation and testing, and how some are chosen."""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Int64
from torch import Tensor

from verydeep.data.split import extended_split, grouped_split
from verydeep.errors import DataError
from verydeep.image_sources.part_names import Part
from verydeep.image_sources.samples import Samples


def with_test_part(
    samples: Samples, fraction: float, seed: int, sides: Int64[Tensor, " count"] | None = None
) -> Samples:
    """``samples`` with a part for each image, also test.

    Without test images, a share of the images without a part become them. If all have a part, the validation
    images become the test images, or a share of the training images if there are none; a note says so.

    Args:
        samples: the images.
        fraction: the share.
        seed: chooses them.
        sides: of images that are training (0) or test images (1) in an earlier split; -1 for the others. They
            stay so where test images are chosen here.

    Raises:
        DataError: if no image can be held out, or there are no training images.
    """
    given = set(samples.parts)
    if not given & {"train", None}:
        raise DataError(f"{samples.name} has no training images; add a train folder next to test")
    if is_split_here(samples):
        return _with_test_cut_off(samples, fraction, seed, sides)
    if "test" in given:
        return replace(samples, parts=tuple(part or "train" for part in samples.parts))
    note = f"no test set was given: the {samples.parts.count('val'):,} val images are the test images"
    parts: list[Part] = ["test" if part == "val" else "train" for part in samples.parts]
    return replace(samples, parts=tuple(parts), reading=samples.reading.noted(note))


def is_split_here(samples: Samples) -> bool:
    """Whether ``with_test_part`` chooses the test images, because the data does not come with any."""
    given = set(samples.parts)
    return "test" not in given and (None in given or "val" not in given)


def _with_test_cut_off(
    samples: Samples, fraction: float, seed: int, sides: Int64[Tensor, " count"] | None
) -> Samples:
    """With test images out of those without a part, else out of the training images."""
    source: Part | None = None if None in samples.parts else "train"
    pool = torch.from_numpy(samples.of_parts(source))
    labels, groups = torch.from_numpy(samples.labels)[pool], _groups_of(samples, pool)
    if sides is None:
        _, chosen = grouped_split(labels, groups, fraction, seed)
    else:
        _, chosen = extended_split(labels, groups, sides[pool], fraction, seed)
    split = replace(samples, parts=_with_part(samples, pool[chosen], "test", "train"))
    if source is None:
        return split
    note = f"no test set was given: {len(chosen):,} of the {len(pool):,} train images are held out as one"
    return replace(split, reading=samples.reading.noted(note))


def with_validation_part(samples: Samples, fraction: float, seed: int) -> Samples:
    """``samples`` with validation images: where there are none, a share of the training images is held out.

    Raises:
        DataError: where no image can be held out.
    """
    if "val" in samples.parts:
        return samples
    train = indices_of(samples, "train")
    labels = torch.from_numpy(samples.labels)[train]
    _, chosen = grouped_split(labels, _groups_of(samples, train), fraction, seed)
    return replace(samples, parts=_with_part(samples, train[chosen], "val", None))


def _groups_of(samples: Samples, indices: Int64[Tensor, " chosen"]) -> tuple[str, ...] | None:
    groups = samples.groups
    return None if groups is None else tuple(groups[i] for i in indices.numpy())


def _with_part(
    samples: Samples, indices: Int64[Tensor, " chosen"], part: Part, others: Part | None
) -> tuple[Part | None, ...]:
    """The parts of ``samples``: ``part`` at ``indices``, and ``others`` for images that had none."""
    is_chosen = np.zeros(len(samples), dtype=np.bool_)  # a set of millions of numbers would take much memory
    is_chosen[indices.numpy()] = True
    both = zip(is_chosen, samples.parts, strict=True)
    return tuple(part if chosen else before or others for chosen, before in both)


def indices_of(samples: Samples, *parts: Part) -> Int64[Tensor, " chosen"]:
    """The indices of the images in any of ``parts``, in order."""
    return torch.from_numpy(samples.of_parts(*parts))
