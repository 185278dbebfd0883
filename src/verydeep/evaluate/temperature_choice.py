"""Whether temperature scaling helps: it is applied only if it does on images that it was not fitted on."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int64

from verydeep.architecture.description import MAX_TEMPERATURE, MIN_TEMPERATURE
from verydeep.data.split import folds
from verydeep.evaluate.calibration import fit_temperature, measure_calibration
from verydeep.number_format import percent
from verydeep.probabilities import cross_entropies, require_finite

FOLDS = 5


@dataclass(frozen=True, kw_only=True)
class TemperatureChoice:
    """A fitted temperature, what it changes on held-out images, and whether it is applied.

    Losses are in nats per image and calibration errors in [0, 1]; both "after" are cross-validated, each
    image with the temperature that was fitted on the others.
    """

    fitted: float
    loss_before: float
    loss_after: float
    error_before: float
    error_after: float

    @property
    def is_at_limit(self) -> bool:
        """Whether a temperature beyond the range would fit better: then none fits."""
        return not 1.001 * MIN_TEMPERATURE < self.fitted < 0.999 * MAX_TEMPERATURE

    @property
    def is_applied(self) -> bool:
        """Whether both loss and calibration error become smaller."""
        is_better = self.loss_after < self.loss_before and self.error_after < self.error_before
        return is_better and not self.is_at_limit

    @property
    def temperature(self) -> float:
        """That logits are divided by: 1 where it is not applied."""
        return self.fitted if self.is_applied else 1.0

    @property
    def reason(self) -> str:
        """In one sentence."""
        if self.is_at_limit:
            return (
                f"Temperature scaling is not applied: the fitted temperature is at its limit "
                f"({self.fitted:.2f}), so no temperature makes the predictions on held-out images calibrated."
            )
        changes = (
            f"loss {self.loss_before:.3f} to {self.loss_after:.3f} nats, calibration error "
            f"{percent(self.error_before)} to {percent(self.error_after)}"
        )
        if self.is_applied:
            return (
                f"Temperature scaling (T = {self.fitted:.2f}) is applied, because it helps on held-out "
                f"images: {changes}."
            )
        return (
            f"Temperature scaling is not applied, because T = {self.fitted:.2f} does not help on held-out "
            f"images: {changes}."
        )

    @property
    def values(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "applied": self.is_applied,
            "temperature": self.temperature,
            "fitted_temperature": self.fitted,
            "held_out_loss": (self.loss_before, self.loss_after),
            "held_out_calibration_error": (self.error_before, self.error_after),
            "reason": self.reason,
        }


def choose_temperature(
    logits: Float[np.ndarray, "count classes"],
    labels: Int64[np.ndarray, " count"],
    groups: tuple[str, ...] | None = None,
    seed: int = 0,
) -> TemperatureChoice | None:
    """Fit a temperature on held-out predictions, and measure by cross-validation whether it helps.

    Args:
        logits: of images that the network was not trained on.
        labels: indices of their classes.
        groups: one per image; the images of a group are in one fold.
        seed: of the folds.

    Raises:
        DataError: where a logit is NaN or infinite.

    Returns:
        None where cross-validation is not possible: fewer than two images, one group, or groups that all lie
        in one fold, such as one group a class.
    """
    require_finite(logits)
    count = min(FOLDS, len(set(groups)) if groups else len(labels))
    if count < 2:
        return None
    fold_of = folds(torch.from_numpy(labels), groups, count, seed).numpy()
    if len(np.unique(fold_of)) < 2:
        return None
    scaled = np.empty_like(logits)
    for fold in np.unique(fold_of):
        held_out = fold_of == fold
        scaled[held_out] = logits[held_out] / fit_temperature(logits[~held_out], labels[~held_out])
    return TemperatureChoice(
        fitted=fit_temperature(logits, labels),
        loss_before=float(cross_entropies(logits, labels).mean()),
        loss_after=float(cross_entropies(scaled, labels).mean()),
        error_before=measure_calibration(logits, labels).error,
        error_after=measure_calibration(scaled, labels).error,
    )
