"""Heat maps of a tuned classifier by Grad-CAM: of its most confident mistakes, and of correct predictions."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from verydeep.data.decode import decode
from verydeep.data.split_file import with_saved_split
from verydeep.data.split_parts import indices_of
from verydeep.errors import DataError
from verydeep.explain.heat_map import HeatMap
from verydeep.explain.heat_maps import heat_maps
from verydeep.image_sources.image_source import ImageSource
from verydeep.image_sources.open_images import read_samples
from verydeep.image_sources.samples import Samples
from verydeep.models.checkpoint import Checkpoint
from verydeep.train.run_folder import RunFolder
from verydeep.tune.result import TuneResult

MISTAKES, CORRECT = 6, 6
"""Heat maps of each, at most."""


@dataclass(frozen=True, kw_only=True)
class TestHeatMap:
    """A test image, and the heat map of the class that was predicted."""

    name: str
    label: str
    """The true class."""
    heat: HeatMap

    @property
    def is_correct(self) -> bool:
        """Whether the prediction is."""
        return self.heat.predicted == self.label


def test_heat_maps(result: TuneResult, network: Checkpoint) -> tuple[TestHeatMap, ...]:
    """Heat maps of test images: the most confident mistakes, then correct predictions of one class after
    another.

    Images that can no longer be read are left out.

    Args:
        result: of a finished run, whose folder still holds its split.
        network: the one that was kept.

    Raises:
        DataError: where the images of ``result``, or its split, are no longer there.
    """
    wrong = ((each.name, each.label, each.source) for each in result.mistakes[:MISTAKES])
    found = list(_heat_maps(network, wrong))
    mistaken = {each.name for each in result.mistakes}
    for name, label, source in _class_by_class(_test_images(result)):
        if sum(each.is_correct for each in found) == CORRECT:
            break
        if name not in mistaken:
            found += [each for each in _heat_maps(network, [(name, label, source)]) if each.is_correct]
    return tuple(found)


def _heat_maps(network: Checkpoint, images: Iterable[tuple[str, str, ImageSource]]) -> Iterator[TestHeatMap]:
    for name, label, source in images:
        try:
            pixels = decode(source, network.preprocess)
        except DataError:
            continue
        (heat,) = heat_maps(network, pixels[None])
        yield TestHeatMap(name=name, label=label, heat=heat)


def _test_images(result: TuneResult) -> Samples:
    samples = read_samples(result.location)  # the split has the groups
    samples = with_saved_split(samples, RunFolder(result.run).split)
    return samples.select(indices_of(samples, "test"))


def _class_by_class(samples: Samples) -> Iterator[tuple[str, str, ImageSource]]:
    """Names, labels and sources: one of each class in turn, evenly spaced in each."""
    classes = [np.flatnonzero(samples.labels == label) for label in range(len(samples.classes))]
    for turn in range(CORRECT):
        for label, indices in enumerate(classes):
            if turn < len(indices):
                index = int(indices[turn * len(indices) // min(CORRECT, len(indices))])
                yield samples.names[index], samples.classes[label], samples.sources[index]
