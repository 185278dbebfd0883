"""Holding images back: the same share of every class, the same images for a seed; groups stay whole."""

import torch
from jaxtyping import Int64
from torch import Tensor

from verydeep.errors import DataError


def stratified_split(
    labels: Int64[Tensor, " count"], fraction: float, seed: int
) -> tuple[Int64[Tensor, " train"], Int64[Tensor, " val"]]:
    """Indices to train on and indices held back, each sorted; together they are every index once.

    The number held back is ``fraction`` of all images, shared among the classes by largest remainder.
    A class of two images or more has at least one on each side, and a lone image is trained on, so that
    very small classes can move the number by a few. The global random state is neither read nor changed.

    Args:
        labels: one class index an image, from 0.
        fraction: the share to hold back, above 0 and below 1.
        seed: picks which images; the same seed picks the same ones on every machine.

    Raises:
        DataError: where ``fraction`` is no share, a label is negative, or no class can spare an image.
    """
    if not 0 < fraction < 1:
        raise DataError(f"the share held back is {fraction}; expected a number above 0 and below 1, as 0.1")
    if len(labels) and int(labels.min()) < 0:
        raise DataError(f"a label is {int(labels.min())}; labels are class indices from 0")
    labels = labels.cpu()
    sizes = labels.bincount()
    held_back = _largest_remainder(sizes, fraction)
    if not int(held_back.sum()):
        raise DataError(
            f"none of the {len(labels)} images can be held back, since no class has two. "
            "Give validation images of their own, or add images."
        )
    generator = torch.Generator().manual_seed(seed)
    shuffled = torch.randperm(len(labels), generator=generator)
    by_class = shuffled[labels[shuffled].argsort(stable=True)]  # class after class, shuffled within each
    rank = torch.arange(len(labels)) - (sizes.cumsum(0) - sizes)[labels[by_class]]
    is_held_back = rank < held_back[labels[by_class]]
    return by_class[~is_held_back].sort().values, by_class[is_held_back].sort().values


def _largest_remainder(sizes: Int64[Tensor, " classes"], fraction: float) -> Int64[Tensor, " classes"]:
    """How many images each class gives up: its share rounded down, and one more where most was cut off."""
    shares = sizes.double() * fraction
    held_back = shares.long()
    left_over = round(int(sizes.sum()) * fraction) - int(held_back.sum())
    most_cut_off = (held_back - shares).argsort(stable=True)
    held_back[most_cut_off[:left_over]] += 1
    return held_back.minimum(sizes - 1).maximum((sizes > 1).long()).clamp_min(0)


def folds(
    labels: Int64[Tensor, " count"], groups: tuple[str, ...] | None, count: int, seed: int
) -> Int64[Tensor, " count"]:
    """The fold of each image, 0 to ``count - 1``: every fold has about the same of every class.

    Args:
        labels: one class index an image, from 0.
        groups: images of one group fall into one fold; None where each image is for itself.
        count: how many folds.
        seed: picks which; the same seed picks the same on every machine.

    Raises:
        DataError: where there are fewer groups, or images, than folds.
    """
    generator = torch.Generator().manual_seed(seed)
    if groups is not None:
        return _share_out(labels, groups, [1 / count] * count, generator)
    if len(labels) < count:
        raise DataError(f"{len(labels)} images make no {count} folds; add images, or take fewer folds")
    shuffled = torch.randperm(len(labels), generator=generator)
    by_class = shuffled[labels[shuffled].argsort(stable=True)]
    dealt = torch.zeros(len(labels), dtype=torch.int64)
    dealt[by_class] = (
        torch.arange(len(labels)) % count
    )  # on through the classes, so that folds are of one size
    return dealt


def grouped_split(
    labels: Int64[Tensor, " count"], groups: tuple[str, ...] | None, fraction: float, seed: int
) -> tuple[Int64[Tensor, " train"], Int64[Tensor, " val"]]:
    """``stratified_split`` that cuts no group; the share held back is as near as whole groups allow.

    Raises:
        DataError: as ``stratified_split``, and where there is one group only.
    """
    if groups is None:
        return stratified_split(labels, fraction, seed)
    if not 0 < fraction < 1:
        raise DataError(f"the share held back is {fraction}; expected a number above 0 and below 1, as 0.1")
    sides = _share_out(labels, groups, [1 - fraction, fraction], torch.Generator().manual_seed(seed))
    return torch.nonzero(sides == 0).flatten(), torch.nonzero(sides == 1).flatten()


def _share_out(
    labels: Int64[Tensor, " count"], groups: tuple[str, ...], shares: list[float], generator: torch.Generator
) -> Int64[Tensor, " count"]:
    """The side of each image; ``shares`` are of each side, and add up to 1.

    Groups are shuffled, large ones before small ones, and each goes where it leaves every class nearest to
    its shares; a class counts the same however small it is.
    """
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    if len(numbers) < len(shares):
        raise DataError(
            f"{len(groups)} images are in {len(numbers)} groups, and no group is cut: "
            f"{len(shares)} sides need as many groups at least. Group by something finer"
        )
    group_of = torch.tensor([numbers[group] for group in groups])
    counts = torch.zeros(len(numbers), int(labels.max()) + 1, dtype=torch.float64)
    counts.index_put_((group_of, labels), torch.ones(len(labels), dtype=torch.float64), accumulate=True)
    parts = counts / counts.sum(0).clamp_min(1)  # of each class, how much is in each group
    excess = -torch.tensor(shares, dtype=torch.float64)[:, None].repeat(1, parts.shape[1])
    sides = torch.zeros(len(parts), dtype=torch.int64)
    for group in _shuffled_by_size(counts.sum(1), generator):
        change = (parts[group] * (2 * excess + parts[group])).sum(1)  # of the sum of squared excess
        side = int(change.argmin())
        sides[group] = side
        excess[side] += parts[group]
    return sides[group_of]


def _shuffled_by_size(sizes: Tensor, generator: torch.Generator) -> list[int]:
    """Places of ``sizes`` in random order, large ones first: those within a factor of two stay shuffled."""
    shuffled = torch.randperm(len(sizes), generator=generator)
    magnitudes = sizes.log2().floor()[shuffled]
    order: list[int] = shuffled[magnitudes.argsort(descending=True, stable=True)].tolist()
    return order
