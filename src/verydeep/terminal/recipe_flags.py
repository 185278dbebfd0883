"""Every field of a configuration as a flag: ``--optimizer.lr 0.1``, ``--fine-tune.epochs 3``."""

from dataclasses import field, fields, is_dataclass, make_dataclass
from typing import Annotated, Any, get_type_hints

from cyclopts import Group, Parameter
from docstring_parser import parse_from_object

from verydeep.train.recipe import Recipe
from verydeep.tune.config import SHARED, STEPS, UNUSED, TuneConfig

AFTER_SETTINGS = 2
"""The position of the tables of a configuration in the help, below its own fields."""
OTHER_STEP = (
    "Training from scratch has such flags too: --scratch.epochs, --scratch.optimizer.lr, --scratch.norm, "
    "--scratch.init and so on."
)


def _flags(kind: Any, title: str, *, skip: frozenset[str] = frozenset(), show: bool = True) -> Any:
    """A copy of the dataclass ``kind`` whose fields may all be left out, with the same help.

    Args:
        kind: the configuration.
        title: the heading above its tables in the help.
        skip: fields without a flag.
        show: whether the help lists the flags.
    """
    hints = get_type_hints(kind)  # without their ranges: the recipe refuses what is out of range, in words
    texts = {text.arg_name: text.description for text in parse_from_object(kind).params}
    copies = []
    for item in fields(kind):
        if item.name in skip:
            continue
        hint = hints[item.name]
        if is_dataclass(hint):
            step = STEPS.get(item.name)
            heading = f"Recipe of --strategy {step}" if step else f"{title}: {item.name}"
            is_shown = show and item.name != "scratch"  # whose flags are those of fine-tuning once more
            left_out = SHARED | UNUSED[item.name] if step else frozenset()
            nested = _flags(hint, heading, skip=left_out, show=is_shown)
            note = OTHER_STEP if step else ""
            group = Group(heading, help=note, sort_key=AFTER_SETTINGS)
            copy: Any = Annotated[nested | None, Parameter(group=group, show=is_shown)]
        else:
            text = " ".join((texts.get(item.name) or "").split())
            flag = Parameter(help=text, show=show, negative_iterable=(), consume_multiple=True)
            copy = Annotated[hint | None, flag]
        copies.append((item.name, copy, field(default=None)))
    # cyclopts takes a class without a module of its own for a builtin, and would not look into it.
    namespace = {"__module__": __name__}
    return make_dataclass(f"{kind.__name__}Flags", copies, namespace=namespace, frozen=True, kw_only=True)


RecipeFlags: Any = _flags(Recipe, "Recipe")
"""A recipe whose fields are None where no flag was given."""

TuneFlags: Any = _flags(TuneConfig, "Settings", skip=frozenset(("from_run",)))
"""Likewise the configuration of `verydeep tune`; its command has a flag --from of its own."""


def given(flags: Any, prefix: str = "") -> dict[str, Any]:
    """The flags that were given, as ``{"optimizer.lr": 0.1}``."""
    changes: dict[str, Any] = {}
    if flags is None:
        return changes
    for item in fields(flags):
        value = getattr(flags, item.name)
        if is_dataclass(value):
            changes |= given(value, f"{prefix}{item.name}.")
        elif value is not None:
            changes[prefix + item.name] = value
    return changes
