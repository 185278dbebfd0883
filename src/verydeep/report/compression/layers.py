"""The layers of the network before and after a compression, with their share of the multiply-adds."""

from collections.abc import Sequence
from dataclasses import dataclass

from verydeep.analyze.layer_rows import LayerRow
from verydeep.analyze.trace import trace
from verydeep.architecture.architecture import Architecture
from verydeep.report.diagram_layout import shape_text

MAX_ROWS = 24
"""Layers that are shown without a click."""


@dataclass(frozen=True, kw_only=True)
class LayerCost:
    """A convolution or fully connected layer of one of the networks."""

    name: str
    output: str
    """Its shape; of a fully connected layer, its units."""
    parameters: int
    macs: int
    share: float
    """Of the MACs of the most expensive layer of both networks, in [0, 1]."""


def layer_costs(before: Architecture, after: Architecture) -> tuple[tuple[LayerCost, ...], ...]:
    """The layers with weights of ``before`` and of ``after``, with bars of the same scale."""
    rows = [[row for row in trace(each).layers if row.macs] for each in (before, after)]
    most = max(row.macs for network in rows for row in network)
    return tuple(_costs(network, most) for network in rows)


def _costs(rows: Sequence[LayerRow], most: int) -> tuple[LayerCost, ...]:
    return tuple(
        LayerCost(
            name=row.name,
            output=f"{row.output[0]:,}" if row.kind == "fc" else shape_text(row.output),
            parameters=row.parameters,
            macs=row.macs,
            share=row.macs / most,
        )
        for row in rows
    )
