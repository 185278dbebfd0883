"""Builds the PyTorch module of an architecture."""

import torch

from verydeep.architecture.architecture import Architecture
from verydeep.models.classifier import Classifier, PlainClassifier, StagedClassifier, has_resnet_form
from verydeep.models.init_method import Init
from verydeep.models.initialization import initialize


def build(architecture: Architecture, init: Init = "he") -> Classifier:
    """The network of ``architecture`` on the CPU, with random weights (``models/initialization.py``).

    Weights are sampled from torch's global generator: set its seed to get the same network again.
    """
    model = build_empty(architecture).to_empty(device="cpu")
    initialize(model, init)
    return model


def build_empty(architecture: Architecture) -> Classifier:
    """The network on the ``meta`` device: shapes without memory, for ``load_state_dict(..., assign=True)``.

    No weights are initialized, so that loading VGG16 does not sample 138 M random numbers first.
    """
    module = StagedClassifier if has_resnet_form(architecture) else PlainClassifier
    with torch.device("meta"):
        return module(architecture)
