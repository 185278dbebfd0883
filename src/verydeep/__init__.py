"""Very deep plain convolutional networks: VGG, with AlexNet before it and ResNet after it.

The public API. Each name is imported when it is first used, so that ``import verydeep`` is fast and the names
that do not need torch never import it.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from verydeep.analyze.compare import compare as compare
    from verydeep.analyze.memory import estimate_memory as estimate_memory
    from verydeep.analyze.trace import trace as trace
    from verydeep.architecture.architecture import Architecture as Architecture
    from verydeep.architecture.grammar import format_architecture as format_architecture
    from verydeep.architecture.grammar import parse_architecture as parse_architecture
    from verydeep.architecture.zoo import resolve as resolve
    from verydeep.check.check import check_images as check_images
    from verydeep.check.findings import findings as findings
    from verydeep.check.grouping import read_grouped as read_grouped
    from verydeep.data.builtin import load_dataset as load_dataset
    from verydeep.data.images import Dataset as Dataset
    from verydeep.data.images import Images as Images
    from verydeep.data.write_images import write_images as write_images
    from verydeep.embed.embedder import Embedder as Embedder
    from verydeep.embed.perceptual_loss import PerceptualLoss as PerceptualLoss
    from verydeep.embed.perceptual_loss import StyleLoss as StyleLoss
    from verydeep.embed.perceptual_loss import perceptual_loss as perceptual_loss
    from verydeep.embed.perceptual_loss import style_loss as style_loss
    from verydeep.errors import VeryDeepError as VeryDeepError
    from verydeep.evaluate.calibration import fit_temperature as fit_temperature
    from verydeep.evaluate.evaluation import evaluate_logits as evaluate_logits
    from verydeep.explain.heat_maps import heat_maps as heat_maps
    from verydeep.explain.patches import first_filters as first_filters
    from verydeep.explain.patches import strongest_patches as strongest_patches
    from verydeep.image_sources.open_images import read_samples as read_samples
    from verydeep.models.checkpoint import Checkpoint as Checkpoint
    from verydeep.models.dense import DenseClassifier as DenseClassifier
    from verydeep.models.feature_extractor import taps as taps
    from verydeep.models.logits import predict_logits as predict_logits
    from verydeep.prediction.predict import predict as predict
    from verydeep.train.recipe import Recipe as Recipe
    from verydeep.train.recipe import read_recipe as read_recipe
    from verydeep.train.train import resume_training as resume_training
    from verydeep.train.train import train_network as train_network
    from verydeep.tune.config import TuneConfig as TuneConfig
    from verydeep.tune.config import read_tune_config as read_tune_config
    from verydeep.tune.tune import resume_tuning as resume_tuning
    from verydeep.tune.tune import tune_network as tune_network
    from verydeep.weight_files.checkpoint_file import save as save
    from verydeep.weights.download_weights import download_weights as download_weights
    from verydeep.weights.export import export_weights as export_weights
    from verydeep.weights.inspect import inspect as inspect
    from verydeep.weights.load import build as build
    from verydeep.weights.load import load as load
    from verydeep.weights.load import pretrained as pretrained

_HOMES = {
    "Architecture": "architecture.architecture",
    "Checkpoint": "models.checkpoint",
    "Dataset": "data.images",
    "DenseClassifier": "models.dense",
    "Embedder": "embed.embedder",
    "Images": "data.images",
    "PerceptualLoss": "embed.perceptual_loss",
    "Recipe": "train.recipe",
    "StyleLoss": "embed.perceptual_loss",
    "TuneConfig": "tune.config",
    "VeryDeepError": "errors",
    "build": "weights.load",
    "check_images": "check.check",
    "compare": "analyze.compare",
    "download_weights": "weights.download_weights",
    "estimate_memory": "analyze.memory",
    "evaluate_logits": "evaluate.evaluation",
    "export_weights": "weights.export",
    "findings": "check.findings",
    "first_filters": "explain.patches",
    "fit_temperature": "evaluate.calibration",
    "format_architecture": "architecture.grammar",
    "heat_maps": "explain.heat_maps",
    "inspect": "weights.inspect",
    "load": "weights.load",
    "load_dataset": "data.builtin",
    "parse_architecture": "architecture.grammar",
    "perceptual_loss": "embed.perceptual_loss",
    "predict": "prediction.predict",
    "predict_logits": "models.logits",
    "pretrained": "weights.load",
    "read_grouped": "check.grouping",
    "read_recipe": "train.recipe",
    "read_samples": "image_sources.open_images",
    "read_tune_config": "tune.config",
    "resolve": "architecture.zoo",
    "resume_training": "train.train",
    "resume_tuning": "tune.tune",
    "save": "weight_files.checkpoint_file",
    "strongest_patches": "explain.patches",
    "style_loss": "embed.perceptual_loss",
    "taps": "models.feature_extractor",
    "trace": "analyze.trace",
    "train_network": "train.train",
    "tune_network": "tune.tune",
    "write_images": "data.write_images",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version  # 50 ms that only this needs

        from verydeep.distribution import NAMES, distribution_name

        return version(distribution_name() or NAMES[0])
    if name not in _HOMES:
        raise AttributeError(f"module 'verydeep' has no attribute {name!r}; it has {', '.join(__all__)}")
    value = getattr(import_module(f"verydeep.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
