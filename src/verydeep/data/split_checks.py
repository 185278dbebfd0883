"""What can be seen of a split before anything is computed: empty parts, missing classes, too few images."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from verydeep.errors import DataError
from verydeep.image_sources.part_names import Part
from verydeep.image_sources.samples import Samples
from verydeep.name_list import first_names

LEAST_IMAGES = 5
"""If no class has so many images, there is too little to train on and to estimate anything from."""


def require_all_classes(samples: Samples) -> None:
    """Refuse images of which a classifier cannot be trained, or cannot be measured at all.

    Args:
        samples: with a part for each image.

    Raises:
        DataError: if there is one class only, a class has no training images, the test images are missing or
            of one class, or all classes are tiny; names the classes.
    """
    if len(samples.classes) < 2:
        raise DataError(
            f"{samples.name} has one class, {samples.classes[0]}; a classifier needs two or more. Add a "
            "folder with images of another class"
        )
    if empty := missing_classes(samples, "train"):
        raise DataError(
            f"{samples.name} has no training images of {', '.join(empty)}. Add some, or remove the folder of "
            "the class"
        )
    untested = missing_classes(samples, "test")
    tested = [name for name in samples.classes if name not in untested]
    if len(tested) < 2:
        _require_divisible(samples, untested)
        has = f"has only test images of {tested[0]}" if tested else "has no test images"
        raise DataError(
            f"{samples.name} {has}, so that nothing could be measured. Add test images of every class, or "
            "leave out the test part: some images are then held out"
        )
    if (largest := max(samples.class_sizes.values())) < LEAST_IMAGES:
        raise DataError(
            f"{samples.name} has at most {largest} images a class: too few to train on some and to estimate "
            f"anything from the others. Add images: {LEAST_IMAGES} a class are the least, 20 a start"
        )


def _require_divisible(samples: Samples, untested: Sequence[str]) -> None:
    """Refuse classes that were not tested because no split gives one image, or one group, to two parts."""
    unit, of_image = ("image", samples.names) if samples.groups is None else ("group", samples.groups)
    wanted = {samples.classes.index(name) for name in untested}
    units = {(label, of_image[i]) for i, label in enumerate(samples.labels.tolist()) if label in wanted}
    if len(units) == len(untested):
        names = first_names(untested)
        classes = f"class {names} has" if len(untested) == 1 else f"classes {names} have"
        add = "Add images" if unit == "image" else "Add images of other groups"
        raise DataError(
            f"{samples.name}: the {classes} one {unit}, and two of each class are the least: one to train on "
            f"and one to test on. {add}, or leave the class out"
        )


def missing_classes(samples: Samples, part: Part) -> list[str]:
    """The classes without images in ``part``."""
    sizes = np.bincount(samples.labels[samples.of_parts(part)], minlength=len(samples.classes))
    return [name for name, size in zip(samples.classes, sizes.tolist(), strict=True) if not size]


def divided_groups(samples: Samples) -> set[str]:
    """The groups with images in several parts: the data came with a part for each image (data leakage)."""
    if samples.groups is None:
        return set()
    parts = Counter(group for group, _ in set(zip(samples.groups, samples.parts, strict=True)))
    return {group for group, count in parts.items() if count > 1}


def with_class_notes(samples: Samples) -> Samples:
    """``samples`` with a note for each part that has no images of some classes."""
    notes = [
        f"{part} has no images of {first_names(missing)}, so nothing is measured for it there"
        for part in ("val", "test")
        if part in samples.parts and (missing := missing_classes(samples, part))
    ]
    return replace(samples, reading=samples.reading.noted(*notes))
