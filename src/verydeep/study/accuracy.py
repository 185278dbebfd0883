"""The accuracy of a trained network on images in memory."""

from verydeep.data.images import Images
from verydeep.evaluate.metrics import accuracy
from verydeep.models.checkpoint import Checkpoint
from verydeep.models.logits import predict_logits


def top1(network: Checkpoint, images: Images) -> float:
    """The accuracy of ``network`` on ``images``."""
    logits = predict_logits(network.model, images.pixels, network.preprocess)
    return accuracy(logits.numpy(), images.labels.numpy())
