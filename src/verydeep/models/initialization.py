"""Weight initialization: random, one method per row, or from a trained shallower network.

he           N(0, 2 / fan_out) for convolutions, N(0, 2 / fan_in) for hidden      He et al. 2015, eq. 10, 14
             layers, N(0, 0.01^2) for the classes
glorot       U(-a, a), a = sqrt(6 / (fan_in + fan_out))                           Glorot 2010, eq. 16
normal-0.1   N(0, 0.1^2): the variance of 1e-2 in the paper                       VGG, section 3.1
normal-0.01  N(0, 0.01^2): that of AlexNet, and of many implementations of VGG    Krizhevsky 2012, section 5

Biases start at 0; batch norms at weight 1 and bias 0.
"""

from collections.abc import Callable, Iterable, Iterator

from torch import nn

from verydeep.errors import ArchitectureError
from verydeep.models.classifier import Classifier
from verydeep.models.init_method import Init


def initialize(model: Classifier, init: Init = "he") -> None:
    """Initialize all weights of ``model`` randomly, from torch's global generator."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()
    initialize_layers(model, _weighted(model), init)


def initialize_layers(model: Classifier, layers: Iterable[nn.Conv2d | nn.Linear], init: Init = "he") -> None:
    """Initialize only ``layers`` of ``model`` randomly; the other weights do not change."""
    *_, classes = _weighted(model)
    for layer in layers:
        _INITIALIZERS[init](layer, layer is classes)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def _he(module: nn.Conv2d | nn.Linear, is_classes: bool) -> None:
    if is_classes:
        nn.init.normal_(module.weight, std=0.01)
    else:
        # fan_out keeps the variance of gradients; at fc6, with 25,088 inputs, it would make outputs explode.
        nn.init.kaiming_normal_(
            module.weight,
            mode="fan_out" if isinstance(module, nn.Conv2d) else "fan_in",
            nonlinearity="relu",
        )


def _glorot(module: nn.Conv2d | nn.Linear, is_classes: bool) -> None:
    nn.init.xavier_uniform_(module.weight)


def _normal(std: float) -> Callable[[nn.Conv2d | nn.Linear, bool], None]:
    def initialize_normal(module: nn.Conv2d | nn.Linear, is_classes: bool) -> None:
        nn.init.normal_(module.weight, std=std)

    return initialize_normal


_INITIALIZERS: dict[str, Callable[[nn.Conv2d | nn.Linear, bool], None]] = {
    "he": _he,
    "glorot": _glorot,
    "normal-0.1": _normal(0.1),
    "normal-0.01": _normal(0.01),
}


def initialize_from_shallower(model: Classifier, shallower: Classifier) -> tuple[str, ...]:
    """Copy the first four convolutions and the fully connected layers of a trained shallower network.

    The paper initialized its deeper networks so (VGG, section 3.1). A layer whose shape differs keeps its
    weights. The names of the copied layers are returned.

    Raises:
        ArchitectureError: where no layer has the same shape.
    """
    names = {module: name for name, module in model.named_modules()}
    copied = []
    for layer, source in _matching_layers(model, shallower):
        if layer.weight.shape == source.weight.shape and (layer.bias is None) == (source.bias is None):
            layer.load_state_dict(source.state_dict())
            copied.append(names[layer])
    if not copied:
        raise ArchitectureError(
            f"cannot initialize {model.architecture.name} from {shallower.architecture.name}: none of the "
            "first four convolutions and fully connected layers has the same shape. Use a shallower network "
            "of the same widths"
        )
    return tuple(copied)


def _matching_layers(
    model: Classifier, shallower: Classifier
) -> Iterator[tuple[nn.Conv2d | nn.Linear, nn.Conv2d | nn.Linear]]:
    """The first four convolutions of both, and their fully connected layers counted from the last."""
    layers, sources = (list(_weighted(network)) for network in (model, shallower))
    yield from zip(_of_type(nn.Conv2d, layers)[:4], _of_type(nn.Conv2d, sources)[:4], strict=False)
    yield from zip(_of_type(nn.Linear, layers)[::-1], _of_type(nn.Linear, sources)[::-1], strict=False)


def _of_type(
    module_type: type[nn.Module], modules: list[nn.Conv2d | nn.Linear]
) -> list[nn.Conv2d | nn.Linear]:
    return [module for module in modules if isinstance(module, module_type)]


def _weighted(model: nn.Module) -> Iterator[nn.Conv2d | nn.Linear]:
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            yield module
