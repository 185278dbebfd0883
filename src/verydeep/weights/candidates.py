"""Which networks of the zoo a weight file may hold, by the number of weights of each convolution.

This number is the same in every layout, and no model must be built to know it.
"""

from collections import Counter
from functools import cache
from math import prod

from verydeep.architecture import zoo
from verydeep.architecture.architecture import Architecture
from verydeep.architecture.layers import Conv, Residual
from verydeep.weight_files.read import Shapes


def possible_networks(shapes: Shapes) -> list[Architecture]:
    """The networks of the zoo whose convolutions, except the first, are all in the file.

    The largest come first, as a file of VGG19 has every convolution of VGG16 too.
    """
    sizes = _conv_sizes_of_file(shapes)
    names = [name for name in zoo.names() if not _conv_sizes(name) - sizes]
    return [zoo.resolve(name) for name in sorted(names, key=lambda name: -_conv_sizes(name).total())]


def most_similar_networks(shapes: Shapes) -> list[Architecture]:
    """The three networks of the zoo whose convolutions differ least from those of the file."""
    sizes = _conv_sizes_of_file(shapes)

    def difference(name: str) -> int:
        return (_conv_sizes(name) - sizes).total() + (sizes - _conv_sizes(name)).total()

    return [zoo.resolve(name) for name in sorted(zoo.names(), key=difference)[:3]]


def _conv_sizes_of_file(shapes: Shapes) -> Counter[int]:
    return Counter(prod(shape) for shape in shapes.values() if len(shape) == 4)


@cache
def _conv_sizes(name: str) -> Counter[int]:
    """How many convolutions of the network have each size; without the first, whose channels may differ."""
    architecture = zoo.resolve(name)
    shape, sizes = architecture.input, list[int]()
    for layer in architecture.layers:
        convs: tuple[Conv, ...] = ()
        if isinstance(layer, Conv):
            convs = (layer,)
        elif isinstance(layer, Residual):
            convs = layer.convs
            if projection := layer.projection(shape):
                sizes.append(_conv_size(projection, shape[0]))
        channels = shape[0]
        for conv in convs:
            sizes.append(_conv_size(conv, channels))
            channels = conv.channels
        shape = layer.output(shape)
    return Counter(sizes[1:])


def _conv_size(conv: Conv, channels: int) -> int:
    """The number of weights of ``conv`` on ``channels`` input channels."""
    return conv.channels * channels // conv.groups * conv.kernel**2
