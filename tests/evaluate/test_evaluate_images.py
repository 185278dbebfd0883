"""What is measured of logits on labeled images, beside the evaluation itself."""

from pathlib import Path

import numpy as np
import pytest

from verydeep.architecture.architecture import Architecture
from verydeep.architecture.preprocess import Preprocess
from verydeep.evaluate.evaluate_images import evaluate_images
from verydeep.evaluate.labeled_images import LabeledImages
from verydeep.evaluate.protocols import LogitBatch, make_protocol
from verydeep.image_sources.samples import Samples
from verydeep.models.build import build
from verydeep.models.checkpoint import Checkpoint

ARCHITECTURE = Architecture.from_string("4 | gap", input=(1, 8, 8), classes=2)
PREPROCESS = Preprocess(size=8, mean=(0.5,), std=(0.5,), channels=1)


@pytest.mark.parametrize(
    ("temperature", "confidence"), [(None, 1 / (1 + np.exp(-4))), (4.0, 1 / (1 + np.exp(-1)))]
)
def test_the_confidence_of_a_mistake_is_that_of_predict(temperature, confidence):
    origin = {} if temperature is None else {"temperature": temperature}
    network = Checkpoint(build(ARCHITECTURE), PREPROCESS, ("cat", "dog"), origin=origin)
    images = LabeledImages(
        "pets", np.zeros((2, 1, 8, 8), np.uint8), np.array([0, 1]), None, "all", "all of them"
    )
    logits = np.array([[4.0, 0.0], [4.0, 0.0]], dtype=np.float32)
    batch = LogitBatch(indices=np.array([0, 1]), logits=logits, broken=())
    protocol = make_protocol("single", PREPROCESS)
    (mistake,) = evaluate_images(network.description, [batch], images, protocol).mistakes
    assert (mistake.index, mistake.predicted) == (1, "cat")
    assert mistake.confidence == pytest.approx(confidence)


@pytest.mark.parametrize(("trained_on", "doubtful"), [(("train",), ["2", "3"]), (("train", "val"), ["3"])])
def test_labels_of_images_that_the_network_was_trained_on_are_not_doubtful(trained_on, doubtful):
    labels, names = np.array([0, 0, 0]), ("1", "2", "3")
    samples = Samples(
        name="pets", sources=tuple(map(Path, names)), names=names, labels=labels, classes=("cat", "dog"),
        parts=("train", "val", "test"),
    )  # fmt: skip
    images = LabeledImages("pets", samples, labels, None, "all", "all of them", trained_on=trained_on)
    network = Checkpoint(build(ARCHITECTURE), PREPROCESS, ("cat", "dog"))
    wrong = LogitBatch(np.arange(3), np.array([[0.0, 4.0]] * 3, dtype=np.float32), ())
    protocol = make_protocol("single", PREPROCESS)
    result = evaluate_images(network.description, [wrong], images, protocol)
    assert [row.path for row in result.doubtful_labels] == doubtful
