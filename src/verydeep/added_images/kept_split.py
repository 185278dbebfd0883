"""The split of an earlier run, kept for the same images and continued for those that were added.

A test image stays one, and an image that was trained on never becomes one: else figures would be too good.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from unicodedata import normalize

import torch

from verydeep.added_images.earlier_run import EarlierRun
from verydeep.data.recognition import Recognition, is_relabeled, recognize
from verydeep.data.split_parts import indices_of, is_split_here, with_test_part
from verydeep.errors import DataError
from verydeep.image_sources.samples import Samples


@dataclass(frozen=True, kw_only=True)
class ImageChanges:
    """How the images differ from those of an earlier run, in counts of images."""

    new: int
    new_test: int
    """Of these, the ones that became test images."""
    gone: int
    relabeled: int
    """In the folder of another class, or with another label in the list."""
    rewritten: int
    """Of the same name with another content: cropped, or saved again."""
    new_classes: tuple[str, ...]

    @property
    def text(self) -> str:
        """Such as ``12 new images (3 of them test images), 1 gone, 2 relabeled``."""
        tested = f" ({self.new_test:,} of them test images)" if self.new else ""
        counts = [f"{self.new:,} new image{'s' * (self.new != 1)}{tested}", f"{self.gone:,} gone"]
        counts.append(f"{self.relabeled:,} relabeled")
        counts += [f"{self.rewritten:,} rewritten"] if self.rewritten else []
        counts += [f"new classes: {', '.join(self.new_classes)}"] if self.new_classes else []
        return ", ".join(counts)


def with_kept_split(
    samples: Samples, content: Sequence[bytes], run: EarlierRun, fraction: float, seed: int
) -> tuple[Samples, ImageChanges]:
    """``samples`` with the split of ``run``, and what changed since.

    New images are split so that the test images are ``fraction`` of each class again, by whole groups. An
    image in a group with one of the earlier run joins its side; a group with images of both sides becomes
    one of training images. Where the data has test images of its own, it decides.

    Args:
        samples: the images now, in groups where they are grouped.
        content: the hash of each file.
        run: the earlier run.
        fraction: of the images that are test images.
        seed: chooses them.

    Raises:
        DataError: where no image is one of ``run``, one of its classes is gone, or the data makes a test
            image of one that it was trained on.
    """
    recognition = recognize(samples, content, run.images)
    _require_known(samples, recognition, run)
    _require_classes(samples, run)
    split = with_test_part(samples, fraction, seed, torch.from_numpy(recognition.sides))
    if not is_split_here(samples):
        _require_unseen(split, recognition, run)
    moved = sum(
        part != "test" and side == 1
        for part, side in zip(split.parts, recognition.sides.tolist(), strict=True)
    )
    if moved:
        note = (
            f"{moved:,} test images of {run.path} are training images now: they are in a group with training "
            "images, or the data says so"
        )
        split = replace(split, reading=split.reading.noted(note))
    if not any(saved.content for saved in run.images):
        note = f"{run.path} did not save the content of its images; they are recognized by their names"
        split = replace(split, reading=split.reading.noted(note))
    return split, _changes(split, content, recognition, run)


def _require_known(samples: Samples, recognition: Recognition, run: EarlierRun) -> None:
    if not any(recognition.earlier):
        raise DataError(
            f"none of the {len(samples):,} images of {samples.name} is one of the {len(run.images):,} of "
            f"{run.path}. Give the folder of these images, with others added; or leave out --from"
        )


def _require_classes(samples: Samples, run: EarlierRun) -> None:
    now = {normalize("NFC", name) for name, size in samples.class_sizes.items() if size}
    missing = [name for name in run.network.classes if normalize("NFC", name) not in now]
    if missing:
        raise DataError(
            f"{samples.name} has no images of {', '.join(missing)}, which {run.path} classifies: --from "
            "cannot remove or rename a class. Put the images back, or start a new run without --from"
        )


def _require_unseen(split: Samples, recognition: Recognition, run: EarlierRun) -> None:
    test = indices_of(split, "test").numpy()
    seen = test[recognition.sides[test] == 0].tolist()
    if seen:
        raise DataError(
            f"{len(seen):,} test images of {split.name} were trained on in {run.path}, such as "
            f"{split.names[seen[0]]}: the comparison would be too good. Move them back to the training "
            "images, or start a new run without --from"
        )


def _changes(
    split: Samples, content: Sequence[bytes], recognition: Recognition, run: EarlierRun
) -> ImageChanges:
    labels = [split.classes[label] for label in split.labels.tolist()]
    pairs = list(zip(recognition.earlier, labels, content, split.parts, strict=True))
    known = {normalize("NFC", name) for name in run.network.classes}
    return ImageChanges(
        new=sum(saved is None for saved, *_ in pairs),
        new_test=sum(saved is None and part == "test" for saved, _, _, part in pairs),
        gone=len(recognition.gone),
        relabeled=sum(saved is not None and is_relabeled(saved, label) for saved, label, *_ in pairs),
        rewritten=sum(
            saved is not None and saved.content not in ("", each.hex()) for saved, _, each, _ in pairs
        ),
        new_classes=tuple(name for name in split.classes if normalize("NFC", name) not in known),
    )
