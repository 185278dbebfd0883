"""Very deep plain convolutional networks: VGG, with AlexNet before it and ResNet after it.

The public face. Each name is loaded when it is first used, so that ``import verydeep`` costs next to
nothing and what needs no torch never loads it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from verydeep.analyze.compare import compare as compare
    from verydeep.analyze.memory import forecast as forecast
    from verydeep.analyze.trace import trace as trace
    from verydeep.data.builtin import load_dataset as load_dataset
    from verydeep.embed.perceptual import PerceptualLoss as PerceptualLoss
    from verydeep.embed.perceptual import StyleLoss as StyleLoss
    from verydeep.embed.perceptual import perceptual_loss as perceptual_loss
    from verydeep.embed.perceptual import style_loss as style_loss
    from verydeep.errors import VeryDeepError as VeryDeepError
    from verydeep.evaluate.label import label as label
    from verydeep.evaluate.metrics import evaluation as evaluation
    from verydeep.evaluate.predict import predict as predict
    from verydeep.explain.heat import heat_maps as heat_maps
    from verydeep.explain.patches import first_filters as first_filters
    from verydeep.explain.patches import strongest_patches as strongest_patches
    from verydeep.models.taps import taps as taps
    from verydeep.recipes.recipe import Recipe as Recipe
    from verydeep.recipes.recipe import read_recipe as read_recipe
    from verydeep.recipes.train import resume as resume
    from verydeep.recipes.train import start as start
    from verydeep.spec.arch import Architecture as Architecture
    from verydeep.spec.grammar import format_line as format_line
    from verydeep.spec.grammar import parse_line as parse_line
    from verydeep.spec.zoo import resolve as resolve
    from verydeep.train.loop import fit as fit
    from verydeep.weights.checkpoint import Checkpoint as Checkpoint
    from verydeep.weights.checkpoint import save as save
    from verydeep.weights.contents import inspect as inspect
    from verydeep.weights.export import export_weights as export_weights
    from verydeep.weights.fetch import fetch_weights as fetch_weights
    from verydeep.weights.load import build as build
    from verydeep.weights.load import load as load
    from verydeep.weights.load import pretrained as pretrained

_HOMES = {
    "Architecture": "spec.arch",
    "Checkpoint": "weights.checkpoint",
    "PerceptualLoss": "embed.perceptual",
    "Recipe": "recipes.recipe",
    "StyleLoss": "embed.perceptual",
    "VeryDeepError": "errors",
    "build": "weights.load",
    "compare": "analyze.compare",
    "evaluation": "evaluate.metrics",
    "export_weights": "weights.export",
    "fetch_weights": "weights.fetch",
    "first_filters": "explain.patches",
    "fit": "train.loop",
    "forecast": "analyze.memory",
    "format_line": "spec.grammar",
    "heat_maps": "explain.heat",
    "inspect": "weights.contents",
    "label": "evaluate.label",
    "load": "weights.load",
    "load_dataset": "data.builtin",
    "parse_line": "spec.grammar",
    "perceptual_loss": "embed.perceptual",
    "predict": "evaluate.predict",
    "pretrained": "weights.load",
    "read_recipe": "recipes.recipe",
    "resolve": "spec.zoo",
    "resume": "recipes.train",
    "save": "weights.checkpoint",
    "start": "recipes.train",
    "strongest_patches": "explain.patches",
    "style_loss": "embed.perceptual",
    "taps": "models.taps",
    "trace": "analyze.trace",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("verydeep")
    if name not in _HOMES:
        raise AttributeError(f"module 'verydeep' has no attribute {name!r}; it has {', '.join(__all__)}")
    value = getattr(import_module(f"verydeep.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
