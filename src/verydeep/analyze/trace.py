"""The exact cost of a network: its layers and their totals, without torch."""

from dataclasses import dataclass
from typing import Any

from verydeep.analyze.layer_rows import PROJECTION, LayerRow, layer_rows
from verydeep.architecture.architecture import Architecture
from verydeep.architecture.layers import Shape


@dataclass(frozen=True, kw_only=True)
class Totals:
    """The sums of a trace."""

    parameters: int
    weights: int
    biases: int
    macs: int
    activations: int


@dataclass(frozen=True, kw_only=True)
class Trace:
    """The cost of an architecture, layer by layer."""

    name: str
    architecture_string: str
    input: Shape
    layers: tuple[LayerRow, ...]

    @property
    def path(self) -> tuple[LayerRow, ...]:
        """The layers with weights from the image to the classes, as papers count depth.

        Norms and the projections of shortcuts do not count.
        """
        return tuple(row for row in self.layers if row.macs and not row.name.endswith(PROJECTION))

    @property
    def totals(self) -> Totals:
        """The sums over all layers."""
        return Totals(
            parameters=sum(row.parameters for row in self.layers),
            weights=sum(row.weights for row in self.layers),
            biases=sum(row.biases for row in self.layers),
            macs=sum(row.macs for row in self.layers),
            activations=sum(row.activations for row in self.layers),
        )

    def to_dict(self) -> dict[str, Any]:
        """JSON values."""
        totals = self.totals
        return {
            "name": self.name,
            "architecture_string": self.architecture_string,
            "input": list(self.input),
            "layers": [row.to_dict() for row in self.layers],
            "totals": {
                "parameters": totals.parameters,
                "weights": totals.weights,
                "macs": totals.macs,
                "activations": totals.activations,
            },
        }


def trace(architecture: Architecture) -> Trace:
    """The cost of ``architecture`` for one image of its own input."""
    return Trace(
        name=architecture.name,
        architecture_string=architecture.string,
        input=architecture.input,
        layers=tuple(layer_rows(architecture)),
    )
