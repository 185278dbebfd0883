"""Plain types that training scripts save beside the weights: options, paths, dates, numpy scalars.

A pickle names a type and asks for it to be called. Only a dozen functions that rebuild tensors are called
(torch's ``weights_only=True``); for each type listed here, an empty object takes its place.
"""

from argparse import Namespace
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any

_EXACT = frozenset(
    {
        "types.SimpleNamespace", "collections.deque", "collections.namedtuple", "datetime.datetime",
        "datetime.date", "datetime.timedelta", "datetime.timezone", "uuid.UUID", "decimal.Decimal",
        "fractions.Fraction", "numpy.dtype", "numpy.ndarray", "numpy.core.multiarray.scalar",
        "numpy._core.multiarray.scalar", "numpy.core.multiarray._reconstruct",
        "numpy._core.multiarray._reconstruct", "numpy.core.numeric._frombuffer",
        "numpy._core.numeric._frombuffer", "torch.Generator",
        "builtins.int", "builtins.float", "builtins.str", "builtins.bool", "builtins.list", "builtins.dict",
        "builtins.tuple", "builtins.frozenset", "builtins.slice", "builtins.range", "builtins.object",
        "copyreg._reconstructor", "copy_reg._reconstructor",
    }
)  # fmt: skip

_PACKAGES = (
    "pathlib.", "omegaconf.", "pytorch_lightning.", "lightning.", "lightning_fabric.", "torchmetrics.",
    "mmengine.", "mmcv.", "yacs.", "numpy.random.", "numpy.dtypes.", "torch.optim.", "transformers.",
)  # fmt: skip
"""Of these, options, schedules and metrics are saved. Their objects are ignored, whatever they are."""

_DICTIONARIES = (".AttributeDict", ".EasyDict", ".defaultdict", ".addict.Dict", ".ConfigDict")
"""Subclasses of dict, which a pickle fills item by item."""


class Ignored:
    """Stands for an object of a type that is not needed to read tensors; it holds nothing."""

    def __new__(cls, *_: Any, **__: Any) -> "Ignored":
        """Whatever the arguments."""
        return super().__new__(cls)

    def __init__(self, *_: Any, **__: Any) -> None:
        pass

    def __setstate__(self, state: Any) -> None:
        """Drop the state."""


class IgnoredDict(OrderedDict[Any, Any]):
    """Never created: ``__new__`` gives an ``OrderedDict``, the one mapping that torch fills."""

    def __new__(cls, *_: Any, **__: Any) -> Any:
        """An empty dictionary."""
        return OrderedDict()


def stand_ins(names: Iterable[str]) -> list[Callable[..., Any] | tuple[Callable[..., Any], str]]:
    """What to call in place of each harmless type in ``names``, for ``torch.serialization.safe_globals``."""
    return [(stand_in, name) for name in names if (stand_in := _stand_in(name)) is not None]


def _stand_in(name: str) -> Any:
    if name == "argparse.Namespace":
        return Namespace  # a class without behavior; its options tell the name of the network
    if name.endswith(_DICTIONARIES) and not name.startswith("builtins."):
        return IgnoredDict
    if name in _EXACT or name.startswith(_PACKAGES):
        return Ignored
    return None
