"""The model card: the page of a checkpoint on a hub, as Markdown with the head that the hub reads."""

import json
import re
from typing import Any

import jinja2

from verydeep.analyze.trace import trace
from verydeep.models.checkpoint import Checkpoint
from verydeep.templates.environment import environment

SHOWN_CLASSES = 100
"""So many class names stand on the card; all are in the file."""


def model_card(checkpoint: Checkpoint, repo: str, license: str | None = None) -> str:
    """What ``checkpoint`` is, costs, wants to see and reached, and how to load it from ``repo``.

    Args:
        checkpoint: its origin may name data, recipe, seed, epochs and test_top1; what it lacks is left out.
        repo: "user/name", where the card will stand.
        license: as Hugging Face writes it, such as "apache-2.0"; without one, none is granted.
    """
    architecture = checkpoint.model.architecture
    origin = checkpoint.origin
    top1 = origin.get("test_top1")
    return (
        _templates()
        .get_template("card.md.j2")
        .render(
            repo=repo,
            name=repo.rsplit("/", 1)[-1],
            license=license,
            architecture=architecture,
            totals=trace(architecture).totals,
            preprocess=_lines(checkpoint.preprocess.to_dict()),
            classes=checkpoint.classes,
            shown_count=SHOWN_CLASSES,
            shown_classes=_numbered(checkpoint.classes[:SHOWN_CLASSES]),
            data=" ".join(str(origin.get("data", "")).split()),
            recipe=origin.get("recipe"),
            top1=top1 if isinstance(top1, float) else None,
            settings=_settings(origin),
        )
    )


def _lines(values: dict[str, Any]) -> str:
    return "\n".join(f"{name} = {json.dumps(value)}" for name, value in values.items())


def _numbered(classes: tuple[str, ...]) -> str:
    """A line a class, with its place among the logits."""
    width = len(str(len(classes) - 1))
    return "\n".join(f"{place:{width}}  {' '.join(name.split())}" for place, name in enumerate(classes))


def _settings(origin: dict[str, Any]) -> str:
    """What is known of the training, in brackets."""
    words = {"epochs": "{} epochs", "seed": "seed {}", "verydeep": "verydeep {}"}
    return ", ".join(text.format(origin[name]) for name, text in words.items() if name in origin)


def _templates() -> jinja2.Environment:
    templates = environment()
    templates.filters |= {"fenced": fenced, "quoted": json.dumps}
    return templates


def fenced(text: str, language: str = "text") -> str:
    """``text`` as a block of code that nothing in it can end."""
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"
