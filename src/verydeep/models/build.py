"""From an architecture to the network that runs: one builder for every line."""

import torch

from verydeep.architecture.architecture import Architecture
from verydeep.models.classifier import Classifier, PlainClassifier, StagedClassifier, has_resnet_form
from verydeep.models.initialization import Init, initialize


def build(architecture: Architecture, init: Init = "he") -> Classifier:
    """The network of ``architecture`` on the CPU, its weights drawn as ``init`` says (``models/init.py``).

    Weights come from torch's global generator: seed it for the same network again.
    """
    model = build_empty(architecture).to_empty(device="cpu")
    initialize(model, init)
    return model


def build_empty(architecture: Architecture) -> Classifier:
    """The network on the ``meta`` device: shapes without memory, for ``load_state_dict(..., assign=True)``.

    Nothing is drawn, so that loading VGG16 does not begin with 138 M random numbers.
    """
    kind = StagedClassifier if has_resnet_form(architecture) else PlainClassifier
    with torch.device("meta"):
        return kind(architecture)
