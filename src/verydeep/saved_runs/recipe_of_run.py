"""By which recipe a run was trained, told from its settings."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any

from verydeep.train.recipe import Recipe, read_recipe, recipe_names
from verydeep.tune.config import TuneConfig

IN_NO_RECIPE = ("seed", "model", "norm", "weights")
"""Settings that are of a run and its network, not of the way to train it."""
MOST_CHANGED = 6
"""With more changes, a recipe is another one."""


@dataclass(frozen=True)
class NearestRecipe:
    """The recipe of this package that differs in the fewest settings, and their number."""

    name: str
    changed: int

    def __str__(self) -> str:
        return self.name if not self.changed else f"{self.name} +{self.changed}"


def nearest_recipe(settings: Mapping[str, Any]) -> NearestRecipe | None:
    """The recipe of which most of ``settings`` are, with keys such as optimizer.lr; None if there is none."""
    counts = {name: _differences(settings, recipe) for name, recipe in _recipes().items()}
    name = min(counts, key=counts.__getitem__)
    return NearestRecipe(name, counts[name]) if counts[name] <= MOST_CHANGED else None


def flat_settings(recipe: Recipe | TuneConfig) -> dict[str, Any]:
    """Every field of a recipe, with the names of tables before its keys, as flags have them."""
    return dict(_flat(asdict(recipe)))


def _differences(settings: Mapping[str, Any], recipe: Mapping[str, Any]) -> int:
    return sum(settings.get(key) != value for key, value in recipe.items() if key not in IN_NO_RECIPE)


@cache
def _recipes() -> Mapping[str, Mapping[str, Any]]:
    return {name: flat_settings(read_recipe(name)) for name in recipe_names()}


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
