"""Part of step 4 of loading: which preprocessing the weights of a file need, and how that is known."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from torch import Tensor

from verydeep.architecture.preprocess import CAFFE, CAFFE_RGB, IMAGENET, Preprocess
from verydeep.weight_files.read import WeightFile
from verydeep.weights.catalog import published_at
from verydeep.weights.compare import Match

_RESIZE_232 = replace(IMAGENET, resize=232)

PREPROCESS_BY_FILE_NAME = {
    "resnet50-11ad3fa6": _RESIZE_232,
    "resnet101-cd907fc2": _RESIZE_232,
    "resnet152-f82ba261": _RESIZE_232,
    "vgg16_features-amdegroot-88682ab5": CAFFE_RGB,
}
"""torchvision's files whose preprocessing differs from ImageNet's; each name ends in digits of its hash."""

OXFORD_VGG16 = "ae2da5ecbf928578dd7088d3049fa43d79f0c69cedc39305893902a0ba43432b"
"""SHA-256 of the first convolution's weights, fp32 in RGB order, as Simonyan and Zisserman released them."""

STATED = "the metadata of the file"


def preprocess_of(file: WeightFile, match: Match) -> tuple[Preprocess, str]:
    """The preprocessing for the network of ``match``, at its channels and size, and how it is known."""
    row = match.rows[0]
    stem = row.tensor_layout.from_file(file.tensors[row.file_key])
    convention = match.layout.preprocess
    preprocess, source = stated_preprocess(file.metadata, convention) or recognized_preprocess(
        file.path, stem, convention, match.layout.name
    )
    channels, size, _ = match.architecture.input
    return preprocess.for_input(channels, size), source


def stated_preprocess(metadata: Mapping[str, str], convention: Preprocess) -> tuple[Preprocess, str] | None:
    """``convention`` with mean and std from safetensors metadata such as ``{"mean": "0.4,0.4,0.4", ...}``.

    Both are for RGB from 0 to 1; None where they are missing or cannot be read.
    """
    try:
        mean, std = (tuple(float(number) for number in metadata[name].split(",")) for name in ("mean", "std"))
        return replace(convention, mean=mean, std=std, order="rgb", scale=1.0), STATED
    except (KeyError, ValueError):  # an ArchitectureError is a ValueError
        return None


def recognized_preprocess(
    path: Path, stem: Tensor, convention: Preprocess, layout: str
) -> tuple[Preprocess, str]:
    """The preprocessing, and how it is known: by the catalog, the name, the first convolution, or the layout.

    Args:
        path: the file.
        stem: the weights of the first convolution, (outputs, inputs, rows, columns).
        convention: the usual preprocessing of the layout.
        layout: its name.
    """
    if published := published_at(path):
        return published.preprocess, f"the catalog, as the file of {published.name}"
    if path.stem in PREPROCESS_BY_FILE_NAME:
        return PREPROCESS_BY_FILE_NAME[path.stem], "the file name"
    if sha256_of_values(stem) == OXFORD_VGG16:
        return CAFFE_RGB, "the first convolution, which is that of Oxford's VGG16 in RGB order"
    if sha256_of_values(stem.flip(1)) == OXFORD_VGG16:
        return CAFFE, "the first convolution, which is that of Oxford's VGG16"
    return convention, f"the convention of the {layout} layout"


def sha256_of_values(tensor: Tensor) -> str:
    """SHA-256 of the values in fp32, in hex."""
    return hashlib.sha256(tensor.float().contiguous().numpy().tobytes()).hexdigest()
