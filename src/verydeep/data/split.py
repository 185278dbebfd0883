"""Stratified splits and cross-validation folds, optionally by groups; reproducible by a seed."""

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from verydeep.errors import DataError


def stratified_split(
    labels: Int64[Tensor, " count"], fraction: float, seed: int
) -> tuple[Int64[Tensor, " train"], Int64[Tensor, " val"]]:
    """The indices of the training images and of the held-out images, each sorted; every index occurs once.

    ``fraction`` of all images are held out, divided among the classes by largest remainder. A class of two
    or more images has at least one image on each side, and a single image is a training image, so very small
    classes can change the number by a few. The global random state is neither read nor changed.

    Args:
        labels: one class index per image, from 0.
        fraction: the fraction to hold out, above 0 and below 1.
        seed: chooses the images; the same seed chooses the same images on every machine.

    Raises:
        DataError: if ``fraction`` is out of range, a label is negative, or every class has one image.
    """
    _check_fraction(fraction)
    if len(labels) and int(labels.min()) < 0:
        raise DataError(f"a label is {int(labels.min())}; expected class indices from 0")
    labels = labels.cpu()
    sizes = labels.bincount()
    held_out = _largest_remainder(sizes, fraction)
    if not int(held_out.sum()):
        raise DataError(
            f"none of the {len(labels)} images can be held out, because no class has two images. "
            "Add images, or give a separate folder of validation images."
        )
    generator = torch.Generator().manual_seed(seed)
    shuffled = torch.randperm(len(labels), generator=generator)
    by_class = shuffled[labels[shuffled].argsort(stable=True)]  # sorted by class, shuffled within each class
    del shuffled  # of millions of images, each of these takes much memory
    sorted_labels = labels[by_class]
    first = (sizes.cumsum(0) - sizes)[sorted_labels]
    is_held_out = torch.arange(len(labels)) < first.add_(held_out[sorted_labels])
    del sorted_labels, first
    return by_class[~is_held_out].sort().values, by_class[is_held_out].sort().values


def _check_fraction(fraction: float) -> None:
    if not 0 < fraction < 1:
        raise DataError(f"the held-out fraction is {fraction}; expected above 0 and below 1, such as 0.1")


def _largest_remainder(sizes: Int64[Tensor, " classes"], fraction: float) -> Int64[Tensor, " classes"]:
    """The held-out images per class: the fraction rounded down, plus 1 for the largest remainders."""
    quotas = sizes.double() * fraction
    held_out = quotas.long()
    remaining = round(int(sizes.sum()) * fraction) - int(held_out.sum())
    by_remainder = (held_out - quotas).argsort(stable=True)
    held_out[by_remainder[:remaining]] += 1
    return held_out.minimum(sizes - 1).maximum((sizes > 1).long()).clamp_min(0)


def folds(
    labels: Int64[Tensor, " count"], groups: tuple[str, ...] | None, count: int, seed: int
) -> Int64[Tensor, " count"]:
    """The cross-validation fold of each image, 0 to ``count - 1``, stratified by class.

    Args:
        labels: one class index per image, from 0.
        groups: the group of each image, all in one fold; None for ungrouped images.
        count: the number of folds.
        seed: the same seed gives the same folds on every machine.

    Raises:
        DataError: if there are fewer groups, or images, than folds.
    """
    generator = torch.Generator().manual_seed(seed)
    if groups is not None:
        return _divide_groups(labels, groups, [1 / count] * count, generator)
    if len(labels) < count:
        raise DataError(f"{len(labels)} images are too few for {count} folds; add images, or use fewer folds")
    shuffled = torch.randperm(len(labels), generator=generator)
    by_class = shuffled[labels[shuffled].argsort(stable=True)]
    fold_of = torch.zeros(len(labels), dtype=torch.int64)
    # Counted across the classes, so that all folds have the same size.
    fold_of[by_class] = torch.arange(len(labels)) % count
    return fold_of


def grouped_split(
    labels: Int64[Tensor, " count"], groups: tuple[str, ...] | None, fraction: float, seed: int
) -> tuple[Int64[Tensor, " train"], Int64[Tensor, " val"]]:
    """``stratified_split`` by whole groups, with a held-out fraction as near as possible to ``fraction``.

    Raises:
        DataError: as ``stratified_split``, and if there is only one group, or all of them are too large.
    """
    if groups is None:
        return stratified_split(labels, fraction, seed)
    _check_fraction(fraction)
    sides = _divide_groups(labels, groups, [1 - fraction, fraction], torch.Generator().manual_seed(seed))
    kept, held_out = torch.nonzero(sides == 0).flatten(), torch.nonzero(sides == 1).flatten()
    if not len(kept) or not len(held_out):
        raise DataError(
            f"{len(groups)} images are in {len(set(groups))} groups so large that no group is near "
            f"{fraction:.0%} of the images, which are to be held out. Use smaller groups"
        )
    return kept, held_out


def extended_split(
    labels: Int64[Tensor, " count"],
    groups: tuple[str, ...] | None,
    sides: Int64[Tensor, " count"],
    fraction: float,
    seed: int,
) -> tuple[Int64[Tensor, " train"], Int64[Tensor, " val"]]:
    """A split where some images have a side already: the others make ``fraction`` of each class held out.

    An image in a group with one that has a side joins that side; a group with images on both sides becomes
    one of training images.

    Args:
        labels: one class index per image, from 0.
        groups: the group of each image; None for ungrouped images.
        sides: 0 for a training image, 1 for a held-out one, -1 for one that has no side yet.
        fraction: as for ``stratified_split``.
        seed: chooses the images, of those without a side.
    """
    _check_fraction(fraction)
    units = groups or tuple(map(str, range(len(labels))))
    sides = _sides_with_groups(units, sides)
    new, classes = torch.nonzero(sides < 0).flatten(), int(labels.max()) + 1
    if len(new):
        before = torch.stack([labels[sides == side].bincount(minlength=classes) for side in (0, 1)])
        sides[new] = _divide_groups(
            labels[new],
            tuple(units[i] for i in new.tolist()),
            [1 - fraction, fraction],
            torch.Generator().manual_seed(seed),
            before.double(),
        )
    return torch.nonzero(sides == 0).flatten(), torch.nonzero(sides == 1).flatten()


def _sides_with_groups(groups: tuple[str, ...], sides: Int64[Tensor, " count"]) -> Int64[Tensor, " count"]:
    """The side that the images of each group have; of two, the side of training."""
    side_of: dict[str, int] = {}
    for group, side in zip(groups, sides.tolist(), strict=True):
        if side >= 0:
            side_of[group] = min(side, side_of.get(group, side))
    return torch.tensor([side_of.get(group, -1) for group in groups])


def _divide_groups(
    labels: Int64[Tensor, " count"],
    groups: tuple[str, ...],
    fractions: list[float],
    generator: torch.Generator,
    before: Float64[Tensor, "sides classes"] | None = None,
) -> Int64[Tensor, " count"]:
    """The side of each image, for sides with these ``fractions`` of the images, whose sum is 1.

    Groups are assigned in random order, large ones first, each to the side where the fractions of all classes
    stay nearest to ``fractions``. Every class has the same weight, whatever its size.

    Args:
        labels: one class index per image, from 0.
        groups: the group of each image.
        fractions: of the images on each side.
        generator: of the random order.
        before: how many other images of each class are on each side already.
    """
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    if before is None and len(numbers) < len(fractions):
        raise DataError(
            f"{len(groups)} images are in {len(numbers)} groups; expected at least {len(fractions)} groups "
            f"for {len(fractions)} sides, because a group is never divided. Use smaller groups"
        )
    group_of = torch.tensor([numbers[group] for group in groups])
    classes = int(labels.max()) + 1 if before is None else before.shape[1]
    before = torch.zeros(len(fractions), classes, dtype=torch.float64) if before is None else before
    sizes = (labels.bincount(minlength=classes) + before.sum(0)).clamp_min(1)
    # Of each group only the classes that it has: a table of groups and classes may take gigabytes.
    pairs, counts = (group_of * classes + labels).unique(return_counts=True)
    starts = torch.searchsorted(pairs, torch.arange(len(numbers) + 1) * classes).tolist()
    excess = before / sizes - torch.tensor(fractions, dtype=torch.float64)[:, None]
    sides = torch.zeros(len(numbers), dtype=torch.int64)
    for group in _shuffled_by_size(group_of.bincount().double(), generator):
        inside = slice(starts[group], starts[group + 1])
        present = pairs[inside] % classes
        content = torch.zeros(classes, dtype=torch.float64)
        content[present] = counts[inside] / sizes[present]  # the fraction of each class in the group
        change = (content * (2 * excess + content)).sum(1)  # of the sum of squared excess
        side = int(change.argmin())
        sides[group] = side
        excess[side] += content
    return sides[group_of]


def _shuffled_by_size(sizes: Tensor, generator: torch.Generator) -> list[int]:
    """Indices of ``sizes`` in random order, large ones first; sizes within a factor of two stay shuffled."""
    shuffled = torch.randperm(len(sizes), generator=generator)
    magnitudes = sizes.log2().floor()[shuffled]
    order: list[int] = shuffled[magnitudes.argsort(descending=True, stable=True)].tolist()
    return order
