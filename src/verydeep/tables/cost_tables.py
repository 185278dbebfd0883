"""Tables of cost: training memory, the comparison of networks, the comparison of kernels."""

from collections.abc import Sequence
from string import ascii_lowercase

from rich.text import Text

from verydeep.analyze.compare import Comparison
from verydeep.analyze.kernels import SIDE, KernelStack
from verydeep.analyze.memory import MemoryEstimate
from verydeep.number_format import TIMES
from verydeep.tables.data_table import Cell, Column, DataTable, Footnote

MB = 10**6


def memory_table(memory: MemoryEstimate, limit: int) -> DataTable:
    """The memory of a training step, and the largest batch that fits in ``limit`` bytes."""
    peak = memory.peak
    parts: list[tuple[str, float, str]] = [
        ("weights", memory.weights, "in fp32, with the running statistics of norms"),
        ("gradients", memory.gradients, "in fp32"),
        ("optimizer", memory.optimizer_state, _STATE[memory.optimizer]),
        ("activations", memory.activations, "saved in the forward pass for the backward pass"),
        ("copies of weights", memory.weight_copies, "in bf16, for the backward pass"),
        ("total", memory.total, "as if all were allocated at the same time"),
        ("peak", peak.bytes(memory.batch), f"the maximum at one moment: {peak.name}"),
    ]
    rows: list[tuple[Cell, ...]] = [(name, size / MB, note) for name, size, note in parts]
    largest = memory.largest_batch(limit)
    return DataTable(
        title=Text(f"training · batch {memory.batch} · {memory.optimizer} · {memory.dtype}\n", "bold"),
        columns=(
            Column("memory", "memory", is_text=True),
            Column("mb", "MB", "MB is 10^6 bytes."),
            Column("note", "", is_text=True),
        ),
        rows=tuple(rows),
        note=f"The largest batch whose peak fits in {limit / 10**9:g} GB (10^9 bytes) is {largest:,}. "
        "A GPU needs more for its driver and for the workspace of its convolutions.",
    )


_STATE = {"sgd": "the momentum of sgd, in fp32", "adam": "the two moments of adam, in fp32"}


def comparison_table(networks: Sequence[Comparison]) -> DataTable:
    """One row per network; the accuracy is the first that was published, with its source as a footnote."""
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
        title=Text("Comparison\n", "bold"),
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
        "Activations are the output values of convolutions, pools and fully connected layers.",
        is_rounded=True,
    ),
    Column(
        "receptive_field", "receptive field", "The receptive field is that of the last convolution, in px."
    ),
    Column("top1", "top-1", "Top-1 is the published accuracy, in percent."),
    Column("source", "", is_text=True),
)


def kernel_table(stacks: Sequence[KernelStack], channels: int) -> DataTable:
    """Large kernels and stacks of 3x3 kernels with the same receptive field."""
    return DataTable(
        title=Text(f"Why 3x3 · {channels} input and output channels\n", "bold"),
        columns=(
            Column("kernels", "kernels", is_text=True),
            Column("architecture_string", "architecture string", is_text=True),
            Column("receptive_field", "receptive field", "The receptive field is the side in px."),
            Column("weights", "weights", "Weights are counted without biases."),
            Column("macs", "MACs", f"A MAC is one multiply-add, here on maps of {SIDE} {TIMES} {SIDE}."),
            Column("relus", "ReLUs"),
            Column("weight_reduction", "fewer weights"),
        ),
        rows=tuple(
            (
                stack.name,
                stack.architecture_string,
                stack.receptive_field,
                stack.weights,
                stack.macs,
                stack.convolutions,
                f"{stack.weight_reduction:.0%}" if stack.weight_reduction else None,
            )
            for stack in stacks
        ),
        note="The 3x3 stacks have the same receptive field, fewer weights and MACs, and more ReLUs "
        "(VGG, section 2.3).",
    )
