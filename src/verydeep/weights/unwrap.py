"""What training scripts wrap around a state dict: dictionaries around it, prefixes before its names."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from verydeep.errors import CheckpointError

CONTAINERS = (
    "model_ema", "state_dict_ema", "ema_state_dict", "ema", "state_dict", "model_state_dict", "model_state",
    "model", "net", "network", "weights", "params", "module", "backbone",
)  # fmt: skip
"""Keys under which a state dict is kept, the exponential moving average (EMA) first: it is the better one."""

_PREFIX = re.compile(
    r"^(?:(?:module|model|net|network|backbone|encoder|student|teacher|(?:model_)?ema(?:_model)?|ema_model)\.)+"
)
_ANYWHERE = re.compile(r"(?:(?<=\.)|^)(?:module|_orig_mod)\.")
"""DataParallel around the features alone, and ``torch.compile`` around any part."""


def unwrap(path: Path, found: Any) -> tuple[dict[str, Tensor], str, tuple[str, ...]]:
    """The innermost dictionary of tensors in what a file held, its place, and the copies not taken.

    Raises:
        CheckpointError: where there is none.
    """
    place: list[str] = []
    copies: list[str] = []
    while True:
        if not isinstance(found, Mapping):
            raise CheckpointError(
                f"{path} holds a {type(found).__name__}, not tensors by name. Save model.state_dict() instead"
            )
        tensors = {str(name): value for name, value in found.items() if isinstance(value, Tensor)}
        inner = [key for key in CONTAINERS if isinstance(found.get(key), Mapping) and found[key]]
        if len(tensors) > 1 or not inner:
            return tensors, ".".join(place), tuple(copies)
        place.append(inner[0])
        copies += [".".join([*place[:-1], key]) for key in inner[1:]]
        found = found[inner[0]]


def strip_prefixes(tensors: dict[str, Tensor]) -> tuple[dict[str, Tensor], tuple[str, ...], tuple[str, ...]]:
    """The tensors under their bare names, the prefixes taken off, and the prefixes of copies not taken.

    Where two prefixes have the same names behind them, they are two copies of a network: the EMA is taken,
    else the larger.
    """
    groups: dict[str, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        bare = _ANYWHERE.sub("", name)
        prefix = match.group() if (match := _PREFIX.match(bare)) else ""
        taken_off = prefix or name[: len(name) - len(bare)]
        groups.setdefault(taken_off, {})[bare.removeprefix(prefix)] = value
    if groups.get("", {}).keys() == {"n_averaged"}:  # torch's AveragedModel counts its updates
        del groups[""]
    merged: dict[str, Tensor] = {}
    taken, spare = [], []
    for prefix in sorted(groups, key=lambda prefix: ("ema" not in prefix, -len(groups[prefix]))):
        if groups[prefix].keys() & merged.keys():
            spare.append(prefix)
        else:
            merged |= groups[prefix]
            taken.append(prefix)
    return merged, tuple(filter(None, taken)), tuple(spare)
