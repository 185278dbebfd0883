"""The convolutions of an ONNX graph in the order of a state dict, for exports that dropped their names."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

MAX_BRANCH = 16
"""Nodes on one side of an addition. A bottleneck block has three convolutions with norms and ReLUs."""


def in_state_dict_order(graph: "onnx.GraphProto") -> list["onnx.NodeProto"]:
    """The convolutions of ``graph``: in a residual block, the shortcut comes after those beside it.

    The nodes of a graph are sorted by when they can run, and a shortcut can run before its block.
    """
    producers = {output: node for node in graph.node for output in node.output}
    shortcuts: dict[int, int] = {}  # the place of a shortcut's convolution -> the place of its addition
    places = {id(node): place for place, node in enumerate(graph.node)}
    for node in graph.node:
        if node.op_type == "Add":
            branches = sorted((_branch(producers, name) for name in node.input), key=len)
            if branches and len(branches[0]) == 1:
                shortcuts[places[id(branches[0][0])]] = places[id(node)]
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    return sorted(convolutions, key=lambda node: shortcuts.get(places[id(node)], places[id(node)]))


def _branch(producers: "dict[str, onnx.NodeProto]", name: str) -> "list[onnx.NodeProto]":
    """The convolutions before the tensor ``name``, back to the end of the block or pool before them."""
    convolutions: list[onnx.NodeProto] = []
    node = producers.get(name)
    for _ in range(MAX_BRANCH):
        if node is None or node.op_type not in ("Conv", "Relu", "BatchNormalization"):
            break
        before = producers.get(node.input[0])
        if node.op_type == "Relu" and before is not None and before.op_type == "Add":
            break
        if node.op_type == "Conv":
            convolutions.append(node)
        node = before
    return convolutions
