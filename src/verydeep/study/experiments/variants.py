"""The trials of a study that compares recipes: each of them with every seed, on the same images."""

from collections.abc import Mapping
from dataclasses import replace

from verydeep.study.trial import Trial
from verydeep.train.recipe import Recipe


def trials_of(recipes: Mapping[str, Recipe], images: int | None, seeds: int) -> tuple[Trial, ...]:
    """A trial for each variant of ``recipes`` and each of so many seeds; ``images`` as in ``Trial``."""
    return tuple(
        Trial(variant=name, recipe=replace(recipe, seed=seed), images=images)
        for name, recipe in recipes.items()
        for seed in range(seeds)
    )
