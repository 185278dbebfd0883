"""Every field of a recipe as a flag: ``--epochs 3``, ``--optimizer.lr 0.1``."""

from dataclasses import field, fields, is_dataclass, make_dataclass
from typing import Annotated, Any, get_type_hints

from cyclopts import Group, Parameter
from docstring_parser import parse_from_object

from verydeep.train.recipe import Recipe


def _flags(kind: Any) -> Any:
    """A twin of the dataclass ``kind`` whose fields may all be left out, with the same help."""
    hints = get_type_hints(kind)  # without their ranges: the recipe refuses what is out of them, in words
    words = {text.arg_name: text.description for text in parse_from_object(kind).params}
    twins = []
    for item in fields(kind):
        hint = hints[item.name]
        if is_dataclass(hint):
            group = Group(f"Recipe: {item.name}")
            twin: Any = Annotated[_flags(hint) | None, Parameter(group=group)]
        else:
            twin = Annotated[hint | None, Parameter(help=words.get(item.name))]
        twins.append((item.name, twin, field(default=None)))
    # cyclopts takes a class without a module of its own for a builtin, and would not look into it.
    ours = {"__module__": __name__}
    return make_dataclass(f"{kind.__name__}Flags", twins, namespace=ours, frozen=True, kw_only=True)


RecipeFlags: Any = _flags(Recipe)
"""A recipe whose fields are None where no flag was given."""


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
