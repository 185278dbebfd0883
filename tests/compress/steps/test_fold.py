"""The step ``fold`` gives a network without batch norms and with the same logits, or refuses."""

import pytest
import torch
from torch import nn

from verydeep.architecture.architecture import Architecture
from verydeep.compress.steps.fold import fold
from verydeep.errors import CompressionError
from verydeep.models.logits import predict_logits

from ..networks import calibration, checkpoint


@pytest.mark.parametrize(
    ("string", "norm"),
    [
        ("8 M 16x2 M | pool2 12", "batch"),
        ("8 M 16x2 M | pool2 12", "batch-after-pool"),
        ("8 (8 8) (16s2 16) | gap", "batch"),
    ],
)
def test_the_logits_stay_and_the_architecture_has_no_norm(string, norm):
    before, images = checkpoint(string, norm=norm, conv_bias=False), calibration(4)
    result = fold(before, images)
    after = result.checkpoint
    assert not any(isinstance(module, nn.BatchNorm2d) for module in after.model.modules())
    assert after.model.architecture == before.model.architecture.with_norm("none")
    logits = [predict_logits(each.model, images.pixels, each.preprocess) for each in (before, after)]
    torch.testing.assert_close(logits[1], logits[0])
    assert result.done == "3 batch norms folded" if "(" not in string else "6 batch norms folded"


def test_a_network_without_batch_norm_stays():
    before = checkpoint("8 M | gap")
    assert fold(before, calibration(1)).checkpoint is before


def test_a_scale_that_is_not_positive_after_a_max_pool_is_refused():
    before = checkpoint("8 M 16 | gap", norm="batch-after-pool")
    with torch.no_grad():
        before.model.features[2].weight[:3] = -0.5
    with pytest.raises(CompressionError, match=r"1 of 2 batch norms .* 3 of their scales are not positive"):
        fold(before, calibration(1))


def test_the_folded_architecture_can_be_written_and_read():
    architecture = fold(checkpoint("8 M | gap", norm="batch"), calibration(1)).checkpoint.model.architecture
    assert Architecture.from_string(architecture.string, classes=4, input=(3, 16, 16)) == architecture
