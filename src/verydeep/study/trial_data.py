"""The images of a trial: some classes, some of their images, or a split of its own."""

import torch

from verydeep.data.images import Dataset, Images
from verydeep.data.split import stratified_split
from verydeep.errors import RecipeError
from verydeep.study.trial import Trial

TEST_SHARE = 0.2
"""The share of test images in a split."""


def trial_data(trial: Trial, dataset: Dataset) -> Dataset:
    """The training and test images of ``trial``.

    Raises:
        RecipeError: where the data set lacks a class of the trial.
    """
    train, test = dataset.train, dataset.test
    if trial.classes is not None:
        _require(trial.classes, dataset.classes)
        train, test = train.of_classes(*trial.classes), test.of_classes(*trial.classes)
    if trial.images is not None and trial.images < len(train):
        _, subset = stratified_split(train.labels, trial.images / len(train), trial.images_seed)
        train = train.select(subset)
    if trial.images_per_class is not None:
        train = of_each_class(train, trial.images_per_class, trial.images_seed)
    if trial.split is not None:
        kept, held_out = stratified_split(train.labels, TEST_SHARE, trial.split)
        train, test = train.select(kept), train.select(held_out)
    return Dataset(data_name(trial, dataset.name), train, test)


def data_name(trial: Trial, dataset: str) -> str:
    """Which images of ``dataset`` the trial has; equal names are equal images."""
    parts = [dataset]
    if trial.classes is not None:
        parts.append(f"classes {' and '.join(trial.classes)}")
    if trial.images is not None:
        parts.append(f"{trial.images:,} images of seed {trial.images_seed}")
    if trial.images_per_class is not None:
        parts.append(f"{trial.images_per_class:,} images a class of seed {trial.images_seed}")
    if trial.split is not None:
        parts.append(f"split {trial.split}")
    return ", ".join(parts)


def of_each_class(images: Images, count: int, seed: int) -> Images:
    """``count`` of ``images`` of each class, or all of a class that has fewer; ``seed`` chooses them."""
    shuffled = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
    by_class = shuffled[images.labels[shuffled].argsort(stable=True)]
    sizes = images.labels.bincount(minlength=len(images.classes)).tolist()
    chosen = [of_class[:count] for of_class in torch.split(by_class, sizes)]
    return images.select(torch.cat(chosen).sort().values)


def _require(classes: tuple[str, ...], data: tuple[str, ...]) -> None:
    missing = [name for name in classes if name not in data]
    if missing:
        raise RecipeError(
            f"this study needs the class {missing[0]!r}, and the data has {', '.join(data)}. Use "
            "--data fashion-mnist"
        )
