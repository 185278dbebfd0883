"""Batch prediction: in order, calibrated, with broken images."""

import json
import tarfile
from dataclasses import replace

import pytest
import torch
from PIL import Image

from verydeep.architecture.architecture import Architecture
from verydeep.architecture.preprocess import Preprocess
from verydeep.data.decode import decode
from verydeep.errors import CheckpointError, DataError
from verydeep.image_sources.find_images import read_sources
from verydeep.models.build import build
from verydeep.models.checkpoint import Checkpoint
from verydeep.models.logits import predict_logits
from verydeep.prediction.predict import Prediction, predict


@pytest.fixture
def checkpoint():
    torch.manual_seed(0)
    model = build(Architecture.from_string("8 | gap", "tiny", input=(3, 8, 8), classes=3)).eval()
    return Checkpoint(model, Preprocess(size=8, mean=(0.5,) * 3, std=(0.2,) * 3), ("a", "b", "c"))


@pytest.fixture
def files(tmp_path):
    """Seven images, and a broken one as the third."""
    for number in range(8):
        Image.new("RGB", (9, 9), (30 * number, 200 - 20 * number, 90)).save(tmp_path / f"{number}.png")
    (tmp_path / "2.png").write_bytes(b"no image")
    return sorted(tmp_path.glob("*.png"))


def test_predictions_are_in_order_for_any_batch_size(checkpoint, files):
    for size in (1, 3, None):
        batches = list(predict(checkpoint, files, batch_size=size))
        assert [len(batch) for batch in batches] == ([1] * 8 if size == 1 else [3, 3, 2] if size else [8])
        predictions = [prediction for batch in batches for prediction in batch]
        assert [prediction.file for prediction in predictions] == list(map(str, files))
        assert [prediction.file for prediction in predictions if prediction.error] == [str(files[2])]
        pixels = torch.stack([decode(file, checkpoint.preprocess) for file in files if file != files[2]])
        expected = predict_logits(checkpoint.model, pixels, checkpoint.preprocess).softmax(1)
        rows = [dict(prediction.top_classes) for prediction in predictions if not prediction.error]
        probabilities = torch.tensor([[row[name] for name in checkpoint.classes] for row in rows])
        torch.testing.assert_close(probabilities, expected)


def test_the_top_k_classes_are_sorted_by_probability(checkpoint, files):
    (((name, probability), *others),) = [
        batch[0].top_classes for batch in predict(checkpoint, files[:1], top=2)
    ]
    assert len(others) == 1 and probability >= others[0][1]
    assert next(predict(checkpoint, files[:1]))[0].top_classes[0] == (name, probability)


def test_a_temperature_divides_the_logits(checkpoint, files):  # Guo et al. 2017, eq. 9
    with_temperature = replace(checkpoint, origin={"temperature": 4.0})
    plain, calibrated = (
        next(predict(each, files[:1]))[0].top_classes for each in (checkpoint, with_temperature)
    )
    logits = torch.tensor([probability for _, probability in plain]).log()
    expected = (logits / 4).softmax(0)
    torch.testing.assert_close(torch.tensor([probability for _, probability in calibrated]), expected)
    assert [name for name, _ in calibrated] == [name for name, _ in plain]


def test_an_invalid_temperature_is_rejected(checkpoint, files):
    with pytest.raises(CheckpointError, match=r"expected a number from 0\.05 to 20"):
        next(predict(replace(checkpoint, origin={"temperature": 1e-320}), files))


def test_entries_of_shards_have_their_location_as_file(checkpoint, files, tmp_path):
    with tarfile.open(tmp_path / "x.tar", "w") as archive:
        archive.add(files[0], "0.png")
    ((prediction,),) = predict(checkpoint, read_sources([tmp_path / "x.tar"]))
    assert prediction.file == f"{tmp_path}/x.tar/0.png" and not prediction.error


def test_of_two_classes_with_one_name_the_more_probable_is_in_json():
    values = Prediction("x", (("crane", 0.6), ("gull", 0.3), ("crane", 0.1))).values
    assert json.dumps(values["probabilities"]) == '{"crane": 0.6, "gull": 0.3}'


def test_logits_that_are_not_finite_are_refused(checkpoint, files):
    with torch.no_grad():
        checkpoint.model.get_parameter("classifier.0.bias")[1] = torch.inf
    with pytest.raises(DataError, match=r"logits of 7 of 7 images are NaN or infinite"):
        list(predict(checkpoint, files))


def test_a_network_with_other_classes_than_outputs_is_refused(checkpoint, files):
    with pytest.raises(CheckpointError, match="has 3 outputs, but 2 class names: its file is damaged"):
        list(predict(replace(checkpoint, classes=("a", "b")), files))
