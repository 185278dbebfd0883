"""The cost of each stage of a network: the MACs that fine-tuning saves by freezing a stage."""

from dataclasses import replace
from itertools import pairwise

from verydeep.analyze.trace import trace
from verydeep.architecture.architecture import Architecture
from verydeep.architecture.layer_names import stage_starts
from verydeep.architecture.layers import Head


def stage_macs(architecture: Architecture) -> tuple[int, ...]:
    """MACs of each stage for one image, from the first stage to the last, then of the head."""
    ends = (*stage_starts(architecture), len(architecture.layers))
    sums = [_macs_of_first(architecture, end) for end in ends]
    stages = [after - before for before, after in pairwise(sums)]
    return (*stages, trace(architecture).totals.macs - sums[-1])


def _macs_of_first(architecture: Architecture, layers: int) -> int:
    if not layers:
        return 0
    part = replace(architecture, layers=architecture.layers[:layers], head=Head())
    return sum(row.macs for row in trace(part).layers if row.kind != "fc")
