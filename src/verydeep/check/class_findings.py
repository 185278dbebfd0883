"""Issues of classes: empty, few images, two names for one class, class imbalance, missing in a split."""

from collections import defaultdict
from collections.abc import Iterator

from verydeep.check.check import CheckResult
from verydeep.check.finding import Finding
from verydeep.check.group_names import similar_names
from verydeep.image_sources.part_names import Part
from verydeep.name_list import first_names

MAX_IMBALANCE = 3
"""A larger ratio of the sizes of the largest and the smallest class is reported."""
MIN_IMAGES = 20
"""Images per class with which transfer learning can start."""


def class_findings(result: CheckResult) -> Iterator[Finding]:
    """Issues of single classes, of their names, and of their sizes."""
    yield from _size_findings(result.samples.class_sizes)
    for names in similar_names(tuple(result.samples.class_sizes)):
        message = f"{' and '.join(map(repr, names))} look like {len(names)} names of one class."
        yield _error("same class twice", message, "If they are, move all images into one folder.")
    yield from _missing_in_parts(result)
    yield from _imbalance(result)


def _size_findings(sizes: dict[str, int]) -> Iterator[Finding]:
    empty = [name for name, size in sizes.items() if not size]
    few = {name: size for name, size in sizes.items() if 0 < size < MIN_IMAGES}
    if len(sizes) == 1:
        message = f"There is only one class, {next(iter(sizes))}."
        yield _error("one class", message, "Add a folder with another class.")
    if empty:
        message = f"Classes without images: {', '.join(empty)}."
        yield _error("empty class", message, "Add images, or remove the folder.")
    if single := [name for name, size in few.items() if size == 1]:
        yield _error(
            "single image",
            f"Classes with a single image: {first_names(single)}. One image cannot be used for training and "
            "for testing.",
            f"Add images: {MIN_IMAGES} per class are a start, 100 are better.",
        )
    if few and len(few) > len(single):
        listed = first_names([f"{name} {size}" for name, size in few.items() if size > 1])
        yield Finding(
            kind="few images",
            severity="warning",
            message=f"Classes with fewer than {MIN_IMAGES} images: {listed}. Their measured accuracy is very "
            "uncertain.",
            next_step="Add images, or merge classes.",
        )


def _error(kind: str, message: str, next_step: str) -> Finding:
    return Finding(kind=kind, severity="error", message=message, next_step=next_step)


def _missing_in_parts(result: CheckResult) -> Iterator[Finding]:
    samples = result.samples
    labels_of_part: dict[Part, set[int]] = defaultdict(set)
    for part, label in zip(samples.parts, samples.labels.tolist(), strict=True):
        if part:
            labels_of_part[part].add(label)
    for part, labels in labels_of_part.items():
        missing = [name for label, name in enumerate(samples.classes) if label not in labels]
        if missing and labels:
            yield _error(
                "class missing in a split",
                f"{part} has no images of {first_names(missing)}.",
                "Every split needs images of every class: move some of them there.",
            )


def _imbalance(result: CheckResult) -> Iterator[Finding]:
    sizes = result.samples.class_sizes
    largest, smallest = max(sizes.values()), min((size for size in sizes.values() if size), default=0)
    if smallest and largest > MAX_IMBALANCE * smallest:
        names = {size: name for name, size in sizes.items()}
        yield Finding(
            kind="class imbalance",
            severity="warning",
            message=f"The largest class, {names[largest]}, has {largest / smallest:.1f} times the images of "
            f"the smallest, {names[smallest]} ({largest:,} to {smallest:,}): always predicting "
            f"{names[largest]} has an accuracy of {largest / len(result.samples):.0%}.",
            next_step="Use balanced accuracy and macro-F1 instead of accuracy.",
        )
