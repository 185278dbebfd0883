"""What is measured of logits on labeled images, beside the evaluation itself."""

import numpy as np
import pytest

from verydeep.architecture.architecture import Architecture
from verydeep.architecture.preprocess import Preprocess
from verydeep.evaluate.evaluate_images import evaluate_images
from verydeep.evaluate.labeled_images import LabeledImages
from verydeep.evaluate.protocols import LogitBatch, make_protocol
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
