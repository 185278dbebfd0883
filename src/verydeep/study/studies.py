"""The studies by name."""

import difflib

from verydeep.errors import RecipeError
from verydeep.study import compression
from verydeep.study.experiments import (
    alexnet,
    augmentation,
    batchnorm,
    depth,
    gradients,
    head,
    kernel,
    overfitting,
    residual,
    split,
    transfer,
)
from verydeep.study.experiments import initialization as init
from verydeep.study.trial import Study

STUDIES = {
    study.name: study
    for study in (
        depth.STUDY,
        kernel.STUDY,
        init.STUDY,
        gradients.STUDY,
        residual.STUDY,
        batchnorm.STUDY,
        alexnet.STUDY,
        head.STUDY,
        augmentation.STUDY,
        overfitting.STUDY,
        transfer.STUDY,
        split.STUDY,
        compression.STUDY,
    )
}


def find_study(name: str) -> Study:
    """The study named ``name``.

    Raises:
        RecipeError: for an unknown name, with the most similar name and the list.
    """
    if name in STUDIES:
        return STUDIES[name]
    near = difflib.get_close_matches(name, STUDIES, n=1)
    hint = f"Did you mean {near[0]}? " if near else ""
    raise RecipeError(f"there is no study {name!r}. {hint}The studies are {', '.join(STUDIES)}")
