"""Where a tuned network looks: heat maps of its surest mistakes, and of what it names rightly."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import torch

from verydeep.check.grouping import read_grouped
from verydeep.data.decode import decode
from verydeep.data.samples import ImageSource, Part, Samples
from verydeep.data.split_file import indices_of, read_split
from verydeep.errors import DataError
from verydeep.explain.heat_maps import HeatMap, heat_maps
from verydeep.models.checkpoint import Checkpoint
from verydeep.train.run_folder import RunFolder
from verydeep.tune.result import TuneResult

MISTAKES, RIGHT = 6, 6
"""How many images of each are looked into, at most."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """A test image, and what in it spoke for the class that the network named."""

    name: str
    label: str
    """What it truly is."""
    heat: HeatMap

    @property
    def is_right(self) -> bool:
        """Whether the network named that."""
        return self.heat.predicted == self.label


def looks(result: TuneResult, network: Checkpoint) -> tuple[Look, ...]:
    """Heat maps of test images by Grad-CAM: the surest mistakes, then right answers from class after class.

    Images that can no longer be read are left out.

    Args:
        result: of a finished tuning, whose run folder still holds its split.
        network: what was kept, in that folder.

    Raises:
        DataError: where the images of ``result``, or its split, are no longer there.
    """
    wrong = ((each.name, each.label, each.source) for each in result.mistakes[:MISTAKES])
    found = list(_looks(network, wrong))
    missed = {each.name for each in result.mistakes}
    for name, label, source in _by_turns(_test_images(result)):
        if sum(look.is_right for look in found) == RIGHT:
            break
        if name not in missed:
            found += [look for look in _looks(network, [(name, label, source)]) if look.is_right]
    return tuple(found)


def _looks(network: Checkpoint, images: Iterable[tuple[str, str, ImageSource]]) -> Iterator[Look]:
    for name, label, source in images:
        try:
            pixels = decode(source, network.preprocess)
        except DataError:
            continue
        (heat,) = heat_maps(network, pixels[None])
        yield Look(name=name, label=label, heat=heat)


def _test_images(result: TuneResult) -> Samples:
    samples = read_grouped(result.settings.data, result.settings.group_by)
    kept = read_split(RunFolder(result.run).split)
    parts: tuple[Part | None, ...] = tuple(kept.get(name) for name in samples.names)
    samples = replace(samples, parts=parts)
    return samples.select(indices_of(samples, "test"))


def _by_turns(samples: Samples) -> Iterator[tuple[str, str, ImageSource]]:
    """Names, labels and sources: class after class, evenly spaced in each."""
    classes = [torch.nonzero(samples.labels == label).flatten() for label in range(len(samples.classes))]
    for turn in range(RIGHT):
        for label, places in enumerate(classes):
            if turn < len(places):
                place = int(places[turn * len(places) // min(RIGHT, len(places))])
                yield samples.names[place], samples.classes[label], samples.sources[place]
