"""How weights begin: one table, each row with its paper.

he           N(0, 2 / fan_out) for convolutions, N(0, 2 / fan_in) for hidden      He et al. 2015, eq. 10, 14
             layers, N(0, 0.01^2) for the classes
glorot       U(-a, a), a = sqrt(6 / (fan_in + fan_out))                           Glorot 2010, eq. 16
normal-0.1   N(0, 0.1^2): the variance of 1e-2 that the paper states              VGG, section 3.1
normal-0.01  N(0, 0.01^2): AlexNet's, and what many read VGG's paper to say       Krizhevsky 2012, section 5

Biases begin at 0; batch norms at weight 1 and bias 0.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Literal

from torch import nn

from verydeep.errors import ArchitectureError
from verydeep.models.classifier import Classifier

Init = Literal["he", "glorot", "normal-0.1", "normal-0.01"]


def initialize(model: Classifier, how: Init = "he") -> None:
    """Draw every weight of ``model`` anew from torch's global generator, as the table says."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()
    initialize_layers(model, _weighted(model), how)


def initialize_layers(model: Classifier, layers: Iterable[nn.Conv2d | nn.Linear], how: Init = "he") -> None:
    """Draw the weights of some ``layers`` of ``model`` anew, as the table says; the others stay."""
    *_, classes = _weighted(model)
    for layer in layers:
        _DRAW[how](layer, layer is classes)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)


def _he(module: nn.Conv2d | nn.Linear, is_classes: bool) -> None:
    if is_classes:
        nn.init.normal_(module.weight, std=0.01)
    else:
        # fan_out keeps gradients from layer to layer; fc6's 25,088 inputs would make its output explode.
        nn.init.kaiming_normal_(
            module.weight,
            mode="fan_out" if isinstance(module, nn.Conv2d) else "fan_in",
            nonlinearity="relu",
        )


def _glorot(module: nn.Conv2d | nn.Linear, is_classes: bool) -> None:
    nn.init.xavier_uniform_(module.weight)


def _normal(std: float) -> Callable[[nn.Conv2d | nn.Linear, bool], None]:
    def draw(module: nn.Conv2d | nn.Linear, is_classes: bool) -> None:
        nn.init.normal_(module.weight, std=std)

    return draw


_DRAW: dict[str, Callable[[nn.Conv2d | nn.Linear, bool], None]] = {
    "he": _he,
    "glorot": _glorot,
    "normal-0.1": _normal(0.1),
    "normal-0.01": _normal(0.01),
}


def grow(model: Classifier, donor: Classifier) -> tuple[str, ...]:
    """Copy the first four convolutions and the fully connected layers of a trained, shallower ``donor``.

    This is how the paper trained its deeper networks (VGG, section 3.1). A layer whose shape differs
    keeps its own weights; the names of what was copied come back.

    Raises:
        ArchitectureError: where nothing fits.
    """
    names = {module: name for name, module in model.named_modules()}
    copied = []
    for ours, theirs in _counterparts(model, donor):
        if ours.weight.shape == theirs.weight.shape and (ours.bias is None) == (theirs.bias is None):
            ours.load_state_dict(theirs.state_dict())
            copied.append(names[ours])
    if not copied:
        raise ArchitectureError(
            f"{model.architecture.name} cannot grow from {donor.architecture.name}: none of its first four "
            "convolutions and fully connected layers has the same shape. Take a donor of the same widths"
        )
    return tuple(copied)


def _counterparts(
    model: Classifier, donor: Classifier
) -> Iterator[tuple[nn.Conv2d | nn.Linear, nn.Conv2d | nn.Linear]]:
    """The first four convolutions of both, and their fully connected layers counted from the classes."""
    ours, theirs = (list(_weighted(network)) for network in (model, donor))
    yield from zip(_of_kind(nn.Conv2d, ours)[:4], _of_kind(nn.Conv2d, theirs)[:4], strict=False)
    yield from zip(_of_kind(nn.Linear, ours)[::-1], _of_kind(nn.Linear, theirs)[::-1], strict=False)


def _of_kind(kind: type[nn.Module], modules: list[nn.Conv2d | nn.Linear]) -> list[nn.Conv2d | nn.Linear]:
    return [module for module in modules if isinstance(module, kind)]


def _weighted(model: nn.Module) -> Iterator[nn.Conv2d | nn.Linear]:
    for module in model.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            yield module
