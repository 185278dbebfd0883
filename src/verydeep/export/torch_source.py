"""The source of a Python module that rebuilds a network in plain PyTorch, without this package.

It is written for a reader: the layers line by line, the preprocessing as plain Pillow. Texts of strangers,
such as class names, get into it only as string literals.
"""

import ast
from collections.abc import Iterator

from torch import nn

from verydeep.architecture.preprocess import Preprocess
from verydeep.errors import CheckpointError
from verydeep.export.torch_source_parts import (
    BLOCK,
    FIT,
    FIT_IN_WORDS,
    FORWARD,
    MODULE,
    NETWORK,
    ORDER_BGR,
    PIXELS,
    START,
)
from verydeep.models.blocks import ResidualBlock
from verydeep.models.checkpoint import Checkpoint
from verydeep.models.classifier import Classifier


def torch_source(checkpoint: Checkpoint) -> str:
    """The module: ``load``, ``preprocess``, ``normalize``, ``CLASSES``, ``TEMPERATURE`` and a command.

    Raises:
        CheckpointError: if it would not have the class names of ``checkpoint``.
    """
    network = _network(checkpoint.model)
    preprocess = checkpoint.preprocess
    parts = [
        START,
        _constants(checkpoint),
        *([BLOCK] if "ResidualBlock(" in network else []),
        network,
        _pixels(preprocess),
        MODULE,
    ]
    source = "\n\n".join(parts)
    _check(source, checkpoint.classes)
    return source


def _pixels(preprocess: Preprocess) -> str:
    """The preprocessing of images."""
    source = PIXELS.replace("    # order\n", ORDER_BGR if preprocess.order == "bgr" else "")
    source = source.replace("    # fit\n", FIT[preprocess.fit]).replace("WORDS", FIT_IN_WORDS[preprocess.fit])
    return source.replace("MODE", '"L"' if preprocess.channels == 1 else '"RGB"')


def _fit_constant(preprocess: Preprocess) -> str:
    """What the fit needs beside the size."""
    if preprocess.fit == "crop":
        comment = "Short side of the resized image, before the center crop to SIZE."
        return f'RESIZE = {preprocess.short_side}\n"""{comment}"""\n'
    if preprocess.fit == "pad":
        color = preprocess.padding if preprocess.channels > 1 else preprocess.padding[0]
        return f'PADDING = {color!r}\n"""The color around the image, 0 to 255: the mean."""\n'
    return ""


def _check(source: str, classes: tuple[str, ...]) -> None:
    """Raise CheckpointError where ``source`` is not valid, or its class names are not ``classes``."""
    for statement in ast.parse(source).body:
        match statement:
            case ast.Assign(targets=[ast.Name(id="CLASSES")], value=value):
                if ast.literal_eval(value) == classes:
                    return
    raise CheckpointError("the class names cannot be written as Python text. Rename the classes")


def _constants(checkpoint: Checkpoint) -> str:
    architecture, preprocess = checkpoint.model.architecture, checkpoint.preprocess
    classes = "".join(f"    {_literal(name)},\n" for name in checkpoint.classes)
    return f'''\
NAME = {_literal(architecture.name)}
ARCHITECTURE = {_literal(architecture.string)}

CLASSES = (
{classes})
"""Class names, in the order of the logits."""

TEMPERATURE = {checkpoint.temperature!r}
"""It divides the logits before the softmax (temperature scaling, Guo et al. 2017)."""

SIZE = {preprocess.size}
"""Side of the square input in px."""
{_fit_constant(preprocess)}SCALE = {preprocess.scale!r}
"""The value of white, before mean and standard deviation."""
MEAN = {preprocess.mean!r}
STD = {preprocess.std!r}
'''


def _literal(text: str) -> str:
    """``text`` as a Python literal, in double quotes where that needs no escape."""
    literal = repr(text)
    has_quotes = '"' in literal or "'" in literal[1:-1]
    return literal if has_quotes else f'"{literal[1:-1]}"'


def _network(model: Classifier) -> str:
    children = [f"        self.{name} = {_expression(model.get_submodule(name))}\n" for name in model.body]
    children.append(f"        self.pool = nn.AdaptiveAvgPool2d({model.architecture.head.grid})\n")
    children.append(f"        self.{model.last} = {_expression(model.get_submodule(model.last))}\n")
    steps = "".join(f"        maps = self.{name}(maps)\n" for name in model.body)
    forward = FORWARD.replace("        # steps\n", steps).replace("HEAD", model.last)
    return NETWORK + "".join(children) + forward


def _expression(module: nn.Module) -> str:
    """The Python expression that builds ``module``."""
    match module:
        case nn.Sequential():
            lines = "".join(f"{_indented(_expression(each))},\n" for each in module)
            return f"nn.Sequential(\n{lines}        )"
        case ResidualBlock():
            lines = "".join(f"    {each},\n" for each in _block_arguments(module))
            return f"ResidualBlock(\n{lines})"
        case nn.Conv2d():
            return f"nn.Conv2d({', '.join(_conv_arguments(module))})"
        case nn.MaxPool2d():
            padding = f", padding={module.padding}" if module.padding else ""
            return f"nn.MaxPool2d({module.kernel_size}, stride={module.stride}{padding})"
        case nn.BatchNorm2d():
            return f"nn.BatchNorm2d({module.num_features})"
        case nn.LocalResponseNorm():
            return f"nn.LocalResponseNorm({module.size}, {module.alpha!r}, {module.beta!r}, {module.k!r})"
        case nn.Linear():
            return f"nn.Linear({module.in_features}, {module.out_features})"
        case nn.Dropout():
            return f"nn.Dropout({module.p!r})"
        case nn.ReLU():
            return "nn.ReLU(inplace=True)"
    raise CheckpointError(f"{type(module).__name__} has no form in plain torch yet; export to onnx")


def _indented(expression: str) -> str:
    return "\n".join(f"            {line}" for line in expression.splitlines())


def _block_arguments(block: ResidualBlock) -> Iterator[str]:
    for name in block.body:
        if name.startswith("conv"):
            yield _expression(block.get_submodule(name))
    if block.downsample is not None:
        yield f"projection={_expression(block.downsample[0])}"
    if "bn1" not in block.body:
        yield "batch_norm=False"


def _conv_arguments(conv: nn.Conv2d) -> Iterator[str]:
    yield str(conv.in_channels)
    yield str(conv.out_channels)
    yield str(conv.kernel_size[0])
    if conv.stride[0] != 1:
        yield f"stride={conv.stride[0]}"
    if conv.padding != (0, 0):
        yield f"padding={conv.padding[0]}"
    if conv.groups != 1:
        yield f"groups={conv.groups}"
    if conv.bias is None:
        yield "bias=False"
