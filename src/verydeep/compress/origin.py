"""What a compressed network tells of where it comes from."""

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from verydeep.compress.candidate import Candidate
from verydeep.compress.result import TestResult
from verydeep.compress.settings import CompressSettings
from verydeep.models.checkpoint import Checkpoint
from verydeep.train.recipe import Recipe, parse_recipe
from verydeep.weight_files.tensor_checksum import tensor_checksum

STALE = ("temperature", "test_top1", "test_balanced_accuracy", "compress")
"""What holds for the original alone."""


def is_balanced(network: Checkpoint) -> bool:
    """Whether balanced accuracy decides: that of ``verydeep tune`` does."""
    return "strategy" in network.origin


def recipe_of(network: Checkpoint) -> Recipe | None:
    """The recipe that ``network`` was trained by; None where it is unknown, or of ``verydeep tune``."""
    recipe = network.origin.get("recipe")
    if not isinstance(recipe, str) or is_balanced(network):
        return None
    return parse_recipe(recipe, "the recipe in the checkpoint")


def trains_with_flips(network: Checkpoint) -> bool:
    """Whether the training of ``network`` flipped its images, by the recipe in it; False where unknown."""
    recipe = recipe_of(network)
    return recipe is not None and recipe.augment.flip != "none"


def origin_of(
    original: Checkpoint,
    settings: CompressSettings,
    candidates: Sequence[Candidate],
    network: Checkpoint,
    test: TestResult | None = None,
) -> dict[str, Any]:
    """The origin of ``network``, and how ``original`` became it: by the candidates that are kept."""
    origin = {key: value for key, value in network.origin.items() if key not in STALE}
    if test is not None:
        origin["test_top1"] = test.top1
    steps = [candidate for candidate in candidates[1:] if candidate.kept]
    from_scratch = [index for index, step in enumerate(steps) if step.name == "scratch"]
    origin["compress"] = {
        "verydeep": version("verydeep"),
        "source": tensor_checksum(original.model.state_dict()),
        "settings": settings.values,
        "steps": [_without_size(step) for step in steps[max(from_scratch, default=0) :]],
        "before": candidates[0].measured.values,
        "test": test and test.values,
    }
    return origin


def _without_size(step: Candidate) -> dict[str, Any]:
    """What a file tells of itself by its size, it need not hold."""
    return {key: value for key, value in step.values.items() if key != "bytes"}
