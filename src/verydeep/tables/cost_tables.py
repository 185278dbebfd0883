"""Sheets of what is computed: the memory of training, networks side by side, kernels against each other."""

from collections.abc import Sequence
from string import ascii_lowercase

from rich.text import Text

from verydeep.analyze.compare import Comparison
from verydeep.analyze.kernels import SIDE, Stack
from verydeep.analyze.memory import Forecast
from verydeep.tables.data_table import Cell, Column, DataTable, Footnote
from verydeep.tables.format import TIMES

MB = 10**6


def memory_sheet(foreseen: Forecast, memory: int) -> DataTable:
    """The memory of a training step, and the largest batch that fits in ``memory`` bytes."""
    peak = foreseen.peak
    parts: list[tuple[str, float, str]] = [
        ("weights", foreseen.weights, "in fp32, with the running statistics of norms"),
        ("gradients", foreseen.gradients, "in fp32"),
        ("optimizer", foreseen.optimizer_state, _STATE[foreseen.optimizer]),
        ("activations", foreseen.activations, "kept from the forward pass for the backward one"),
        ("copies of weights", foreseen.weight_copies, "in bf16, for the backward pass"),
        ("sum", foreseen.total, "if all were there at once"),
        ("peak", peak.bytes(foreseen.batch), f"the most at one moment: {peak.name}"),
    ]
    rows: list[tuple[Cell, ...]] = [(what, size / MB, why) for what, size, why in parts]
    most = foreseen.largest_batch(memory)
    return DataTable(
        title=Text(f"training · batch {foreseen.batch} · {foreseen.optimizer} · {foreseen.dtype}\n", "bold"),
        columns=(
            Column("what", "memory", is_text=True),
            Column("mb", "MB", "MB is 10^6 bytes."),
            Column("why", "", is_text=True),
        ),
        rows=tuple(rows),
        note=f"The largest batch whose peak fits in {memory / 10**9:g} GB (10^9 bytes) is {most:,}. "
        "A GPU needs some more for its driver and for the workspace of its convolutions.",
    )


_STATE = {"sgd": "sgd's momentum, in fp32", "adam": "adam's two moments, in fp32"}


def comparison_sheet(networks: Sequence[Comparison]) -> DataTable:
    """``networks`` side by side; each accuracy is the first that is known, its source below."""
    notes: dict[str, Footnote] = {}
    rows = []
    for row in networks:
        first = row.published[0] if row.published else None
        if first:
            text = f"{first.protocol}; {first.source}"
            notes.setdefault(text, Footnote(ascii_lowercase[len(notes)], text))
        counts = row.depth, row.input[1], row.parameters, row.macs, row.activations, row.receptive_field
        accuracy = (first.top1, notes[text]) if first else (None, "")
        rows.append((row.name, *counts, *accuracy))
    return DataTable(
        title=Text("Side by side\n", "bold"),
        columns=COMPARISON_COLUMNS,
        rows=tuple(rows),
        note=" ".join(f"{note.mark}: {note.text}." for note in notes.values()),
    )


COMPARISON_COLUMNS = (
    Column("network", "network", is_text=True),
    Column("depth", "depth", "Depth counts the layers with weights from the image to the classes."),
    Column("size", "size", "Size is the side of the images, in px."),
    Column("parameters", "parameters", is_rounded=True),
    Column(
        "macs", "MACs", "A MAC is one multiply-add, without bias; counted for one image.", is_rounded=True
    ),
    Column(
        "activations",
        "activations",
        "Activations are what convolutions, pools and fully connected layers put out.",
        is_rounded=True,
    ),
    Column("field", "field", "Field is the receptive field of the last convolution, in px."),
    Column("top1", "top-1 %", "Top-1 is the accuracy that was published, in percent."),
    Column("source", "", is_text=True),
)


def kernel_sheet(stacks: Sequence[Stack], channels: int) -> DataTable:
    """Large kernels against stacks of 3x3."""
    return DataTable(
        title=Text(f"Why 3x3 · {channels} channels in and out\n", "bold"),
        columns=(
            Column("kernels", "kernels", is_text=True),
            Column("architecture_string", "architecture string", is_text=True),
            Column("field", "field", "Field is the receptive field, in px a side."),
            Column("weights", "weights", "Weights are counted without biases."),
            Column("macs", "MACs", f"A MAC is one multiply-add, here on maps of {SIDE} {TIMES} {SIDE}."),
            Column("relus", "ReLUs"),
            Column("fewer", "fewer weights"),
        ),
        rows=tuple(
            (
                s.what,
                s.architecture_string,
                s.receptive_field,
                s.weights,
                s.macs,
                s.convs,
                f"{s.fewer:.0%}" if s.fewer else None,
            )
            for s in stacks
        ),
        note="Same field, fewer weights, less work, and a ReLU after each 3x3 (VGG, section 2.3).",
    )
