"""Step 2 of loading: remove what training scripts put around a state dict, dictionaries and name prefixes."""

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
"""Keys that hold a state dict. The exponential moving average (EMA) comes first: it is the better copy."""

MAX_DEPTH = 8
"""Containers in each other; real files have at most three."""

_PREFIX = re.compile(
    r"^(?:(?:module|model|net|network|backbone|encoder|student|teacher|(?:model_)?ema(?:_model)?|ema_model)\.)+"
)
_SHORTCUT = re.compile(r"^(layer\d+\.\d+)\.shortcut\.")
_WRAPPER_MODULE = re.compile(r"(?:(?<=\.)|^)(?:module|_orig_mod)\.")
"""Inside a name too: DataParallel around the features alone, ``torch.compile`` around any module."""


def unwrap(path: Path, content: Any) -> tuple[dict[str, Tensor], str, tuple[str, ...]]:
    """The innermost dictionary of tensors, the keys that lead to it, and the keys of ignored copies.

    Raises:
        CheckpointError: where there is none.
    """
    container: list[str] = []
    ignored_copies: list[str] = []
    for _ in range(MAX_DEPTH):
        if not isinstance(content, Mapping):
            raise CheckpointError(
                f"{path} holds a {type(content).__name__}, not tensors by name. "
                "Save model.state_dict() instead"
            )
        tensors = {str(name): value.detach() for name, value in content.items() if isinstance(value, Tensor)}
        inner = [key for key in CONTAINERS if isinstance(content.get(key), Mapping) and content[key]]
        if len(tensors) > 1 or not inner:
            return tensors, ".".join(container), tuple(ignored_copies)
        container.append(inner[0])
        ignored_copies += [".".join([*container[:-1], key]) for key in inner[1:]]
        content = content[inner[0]]
    raise CheckpointError(
        f"{path} holds dictionaries in dictionaries, more than {MAX_DEPTH} deep: {'.'.join(container)}. Save "
        "model.state_dict() alone"
    )


def stated_names(content: Any) -> dict[str, str]:
    """What a training script wrote of its network: ``arch`` of timm, ``args.model`` of torchvision."""
    if not isinstance(content, Mapping):
        return {}
    stated = {"arch": content.get("arch"), "model": getattr(content.get("args"), "model", None)}
    return {key: value for key, value in stated.items() if isinstance(value, str)}


def strip_prefixes(tensors: dict[str, Tensor]) -> tuple[dict[str, Tensor], tuple[str, ...], tuple[str, ...]]:
    """The tensors without prefixes, the removed prefixes, and the prefixes of ignored copies.

    Two prefixes with the same names after them are two copies of a network: the EMA copy is used, otherwise
    the larger one.
    """
    groups: dict[str, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        unwrapped = _WRAPPER_MODULE.sub("", name)
        prefix = found.group() if (found := _PREFIX.match(unwrapped)) else ""
        removed_prefix = prefix or name[: len(name) - len(unwrapped)]
        groups.setdefault(removed_prefix, {})[unwrapped.removeprefix(prefix)] = value
    if groups.get("", {}).keys() == {"n_averaged"}:  # the update count of torch's AveragedModel
        del groups[""]
    merged: dict[str, Tensor] = {}
    removed, ignored = [], []
    for prefix in sorted(groups, key=lambda prefix: ("ema" not in prefix, -len(groups[prefix]))):
        if groups[prefix].keys() & merged.keys():
            ignored.append(prefix)
        else:
            merged |= groups[prefix]
            removed.append(prefix)
    return _torchvision_names(merged), tuple(filter(None, removed)), tuple(ignored)


def _torchvision_names(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Of a ResNet for CIFAR, whose names github.com/kuangliu/pytorch-cifar has made usual."""
    if not any(_SHORTCUT.match(name) for name in tensors):
        return tensors
    return {
        re.sub(r"^linear\.", "fc.", _SHORTCUT.sub(r"\1.downsample.", name)): value
        for name, value in tensors.items()
    }
