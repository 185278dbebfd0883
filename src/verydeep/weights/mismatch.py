"""What to say of a weight file whose network cannot be loaded: the reason, and the next step, in one line."""

import re
import shlex
from pathlib import Path

from verydeep.architecture import zoo
from verydeep.architecture.grammar import format_architecture
from verydeep.architecture.layers import Conv, Residual
from verydeep.name_list import first_names
from verydeep.weight_files.read import Shapes, WeightFile
from verydeep.weights.compare import Match, PartialMatch

_SAME_TENSORS = re.compile(r"(?:resnetblur|resnetaa|ecaresnetaa|skresnetaa)\d+\w*", re.IGNORECASE)
"""timm's ResNets with anti-aliased strides: the same keys and shapes as ResNet, other outputs."""


def other_network_text(file: WeightFile) -> str:
    """Why a file whose tensors fit is another network, where its name or metadata tells; otherwise empty."""
    stated = [file.metadata.get(key) for key in ("arch", "model", "architecture")]
    for text in (file.path.name, file.path.parent.name, *stated):
        if found := _SAME_TENSORS.search(text or ""):
            return (
                f"{file.path} is a {found.group()} by its name or metadata: its strides are blurred, so it "
                "computes something else than the ResNet with the same tensors, and no architecture string "
                "describes it. Use the plain ResNet"
            )
    return ""


def features_hint(path: Path) -> str:
    """How to load the features of the file alone."""
    return (
        f"To load the features alone: verydeep weights import {shlex.quote(str(path))} --features-only --out "
        "features.safetensors; in Python, features_only=True"
    )


def unexpected_text(path: Path, match: Match) -> str:
    """Why a file with unexpected tensors is not loaded."""
    if match.inside:
        return (
            f"{path} holds the tensors of {match.architecture.name} and others among them: "
            f"{first_names(match.inside)}. It is another network, which no architecture string describes. "
            "Load it where it was trained"
        )
    return (
        f"{path} holds {match.architecture.name} and unexpected tensors: {first_names(match.unexpected)}. "
        f"{features_hint(path)}"
    )


def mismatch_text(path: Path, closest: PartialMatch | None, shapes: Shapes) -> str:
    """Why no network was recognized in the file at ``path``, and the next step."""
    if reason := _known_variant(path, closest, shapes):
        return reason
    if closest is None:
        return (
            f"{path} holds no known network: neither its keys nor its shapes are those of VGG, AlexNet or "
            "ResNet. `verydeep list` shows the known networks"
        )
    differences = {
        "missing": closest.missing,
        "wrong shape": closest.wrong_shape,
        "unexpected": closest.unexpected,
    }
    text = "; ".join(f"{what}: {first_names(keys)}" for what, keys in differences.items() if keys)
    hint = (
        features_hint(path)
        if closest.has_features
        else "If it is another network of plain or residual convolutions, give its architecture string: "
        f"verydeep weights import {shlex.quote(str(path))} --network STRING --out network.safetensors"
    )
    return (
        f"{path} does not match any network. The closest is {closest.name} in the {closest.layout} layout: "
        f"{text}. {hint}"
    )


def _known_variant(path: Path, closest: PartialMatch | None, shapes: Shapes) -> str:
    """The reason for a well-known relative of ResNet; empty for any other file."""
    if "layer1.0.conv1.weight" not in shapes:
        return ""
    if "conv1.0.weight" in shapes:
        return (
            f"{path} holds a ResNet whose stem has three convolutions (conv1.0, as in ResNet-C, -D and -S): "
            "no architecture string describes it. Use the plain ResNet of the same depth"
        )
    small_stem = shapes.get("conv1.weight", ())[2:] == (3, 3)
    if closest and closest.wrong_shape == ("conv1.weight",) and small_stem and closest.name in zoo.names():
        return (
            f"{path} holds {closest.name} with a first convolution of 3 x 3 instead of 7 x 7, as for small "
            "images. The file does not show its stride, nor whether a pool follows. For stride 1, no pool: "
            f"verydeep weights import {shlex.quote(str(path))} --network '{_with_small_stem(closest.name)}' "
            "--size 32 --out network.safetensors"
        )
    return ""


def _with_small_stem(name: str) -> str:
    architecture = zoo.resolve(name)
    channels = next(layer.channels for layer in architecture.layers if isinstance(layer, Conv))
    blocks = [layer for layer in architecture.layers if isinstance(layer, Residual)]
    return format_architecture([Conv(channels), *blocks], architecture.head)
