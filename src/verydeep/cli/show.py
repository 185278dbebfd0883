"""``verydeep show``: what a network costs."""

from typing import Annotated, Any

from cyclopts import Parameter

from verydeep.analyze.trace import LayerRow, Trace, trace
from verydeep.cli.console import err, out, print_json
from verydeep.report.tables import layer_table
from verydeep.spec import zoo


def show(
    network: Annotated[str, Parameter(name="NETWORK")],
    /,
    *,
    size: int | None = None,
    channels: int | None = None,
    classes: int | None = None,
    norm: bool = False,
    json: bool = False,
) -> int:
    """Print what a network costs, layer by layer, exactly.

    Parameters
    ----------
    network
        A name of the zoo (`verydeep list`), a paper's letter such as D, or a line of text.
    size
        Side of the images in px; the network's own by default.
    channels
        1 for grey images, 3 for colour; the network's own by default.
    classes
        Number of classes; the network's own by default.
    norm
        Put a batch norm after every convolution.
    json
        Print one JSON object.
    """
    architecture = zoo.resolve(network)
    if norm:
        architecture = architecture.with_batch_norm()
    if classes is not None:
        architecture = architecture.with_classes(classes)
    if size is not None or channels is not None:
        own_channels, *own_size = architecture.input
        architecture = architecture.with_input(channels or own_channels, size or (own_size[0], own_size[1]))
    for note in architecture.notes:
        err().print(f"Note: {note}", markup=False, soft_wrap=True)
    traced = trace(architecture)
    if json:
        print_json(_values(traced))
    else:
        out().print(layer_table(traced))
    return 0


def _values(traced: Trace) -> dict[str, Any]:
    totals = traced.totals
    return {
        "name": traced.name,
        "line": traced.line,
        "input": list(traced.input),
        "layers": [_row_values(row) for row in traced.layers],
        "totals": {
            "parameters": totals.parameters,
            "weights": totals.weights,
            "macs": totals.macs,
            "activations": totals.activations,
        },
    }


def _row_values(row: LayerRow) -> dict[str, Any]:
    return {
        "name": row.name,
        "kind": row.kind,
        "output": list(row.output),
        "weights": row.weights,
        "biases": row.biases,
        "parameters": row.parameters,
        "macs": row.macs,
        "activations": row.activations,
        "receptive_field": row.receptive_field,
    }
