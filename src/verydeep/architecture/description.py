"""What a file says about the network in it: architecture, preprocessing, class names and origin, as JSON.

Checkpoints and exported networks have the same JSON. pydantic reads it, so that an error names the wrong or
missing field.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from annotated_types import Ge, Lt
from pydantic import BaseModel, ConfigDict, ValidationError

from verydeep.architecture.architecture import Architecture, Norm
from verydeep.architecture.preprocess import Preprocess
from verydeep.errors import CheckpointError, VeryDeepError

FORMAT = 1

MIN_TEMPERATURE, MAX_TEMPERATURE = 0.05, 20.0
"""The range in which a temperature is fitted. Values far outside it overflow to NaN probabilities."""


@dataclass(frozen=True)
class Description:
    """A network without its weights, and what is needed to use it."""

    architecture: Architecture
    preprocess: Preprocess
    classes: tuple[str, ...]
    """Class names; empty for a network without a head."""
    origin: dict[str, Any] = field(default_factory=dict)
    """Metadata of the training: recipe, data, seed, accuracy, temperature, and any other entries."""

    @property
    def is_calibrated(self) -> bool:
        """Whether a temperature was fitted, and scaling with it helps: it is not 1."""
        return bool(self.origin.get("temperature", 1.0) != 1.0)

    @property
    def temperature(self) -> float:
        """The number that divides the logits (temperature scaling, Guo et al. 2017, eq. 9); 1 if none was
        fitted.

        Raises:
            CheckpointError: if it is not a number in the range in which a temperature is fitted.
        """
        return temperature_of(self.origin)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON; ``from_json`` is the inverse."""
        names = _Architecture.model_fields
        return {
            "format": FORMAT,
            "architecture": {name: getattr(self.architecture, name) for name in names},
            "preprocess": self.preprocess.to_dict(),
            "classes": list(self.classes),
            "origin": self.origin,
        }

    @classmethod
    def from_json(cls, text: str | bytes) -> "Description":
        """The description in JSON.

        Raises:
            CheckpointError: naming the wrong or missing fields.
        """
        try:
            values = _Values.model_validate_json(text)
        except ValidationError as error:
            raise CheckpointError(
                f"holds metadata that this version of verydeep cannot read: {problems_of(error)}"
            ) from None
        settings = values.architecture.model_dump(exclude={"string", "name"})
        try:
            architecture = Architecture.from_string(
                values.architecture.string,
                values.architecture.name,
                classes=max(1, len(values.classes)),
                **settings,
            )
            preprocess = Preprocess.from_dict(values.preprocess)
        except VeryDeepError as error:
            raise CheckpointError(f"holds a network that cannot be built: {error}") from None
        return cls(architecture, preprocess, tuple(values.classes), values.origin)


PROBLEMS_SHOWN = 10
"""Wrong fields in a message."""


def problems_of(error: ValidationError) -> str:
    """The wrong fields of a JSON text, in one line; of very many the first ones."""
    problems = error.errors(include_url=False, include_context=False, include_input=False)
    shown = [
        f"{'.'.join(map(str, problem['loc'])) or 'the metadata'}: {problem['msg']}"
        for problem in problems[:PROBLEMS_SHOWN]
    ]
    more = [f"and {len(problems) - len(shown):,} more"] if len(problems) > len(shown) else []
    return "; ".join([*shown, *more])


def temperature_of(origin: Mapping[str, Any]) -> float:
    """The number that divides the logits (temperature scaling, Guo et al. 2017, eq. 9); 1 if none was fitted.

    Raises:
        CheckpointError: if it is not a number in the range in which a temperature is fitted.
    """
    value = origin.get("temperature", 1.0)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not (is_number and MIN_TEMPERATURE <= value <= MAX_TEMPERATURE):
        raise CheckpointError(
            f"the temperature of the checkpoint is {value!r}; expected a number from {MIN_TEMPERATURE:g} "
            f"to {MAX_TEMPERATURE:g}. Fit it again by `fit_temperature`, or remove it from the origin"
        )
    return float(value)


class _Architecture(BaseModel):
    """An architecture string, and the settings that it does not contain."""

    model_config = ConfigDict(extra="forbid")

    name: str
    string: str
    norm: Norm
    conv_bias: bool
    dropout: Annotated[float, Ge(0), Lt(1)]
    dropout_first: bool
    input: tuple[int, int, int]


class _Values(BaseModel):
    """The JSON."""

    model_config = ConfigDict(extra="forbid")

    format: Literal[1]
    architecture: _Architecture
    preprocess: dict[str, Any]
    classes: list[str]
    origin: dict[str, Any]
