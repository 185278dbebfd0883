"""The model card: the page of a checkpoint on a hub, as Markdown with YAML metadata for the hub."""

import json
import re
from typing import Any

import jinja2

from verydeep.analyze.trace import trace
from verydeep.foreign_text import markdown_text, terminal_text, valid_text
from verydeep.models.checkpoint import Checkpoint
from verydeep.tables.preprocess_text import fit_text
from verydeep.templates.environment import environment

SHOWN_CLASSES = 100
"""Class names on the card; the file has all of them."""


def model_card(checkpoint: Checkpoint, repo: str, license: str | None = None) -> str:
    """The architecture, cost, accuracy and preprocessing of ``checkpoint``, and how to load it from ``repo``.

    Args:
        checkpoint: its origin may hold data, recipe, seed, epochs and test_top1; the card omits missing ones.
        repo: the repository of the card, "user/name".
        license: as Hugging Face writes it, such as "apache-2.0"; the card states none without it.
    """
    architecture = checkpoint.model.architecture
    origin = checkpoint.origin
    top1 = origin.get("test_top1")
    return (
        _templates()
        .get_template("model_card.md.j2")
        .render(
            repo=repo,
            name=repo.rsplit("/", 1)[-1],
            license=license,
            architecture=architecture,
            totals=trace(architecture).totals,
            fit_text=fit_text(checkpoint.preprocess),
            preprocess=_assignments(checkpoint.preprocess.to_dict()),
            classes=checkpoint.classes,
            shown_count=SHOWN_CLASSES,
            shown_classes=_numbered(checkpoint.classes[:SHOWN_CLASSES]),
            data=" ".join(str(origin.get("data", "")).split()),
            recipe=origin.get("recipe"),
            top1=top1 if isinstance(top1, float) else None,
            settings=_settings(origin),
        )
    )


def _assignments(values: dict[str, Any]) -> str:
    return "\n".join(f"{name} = {json.dumps(value)}" for name, value in values.items())


def _numbered(classes: tuple[str, ...]) -> str:
    """One line per class, with its index among the logits."""
    width = len(str(len(classes) - 1))
    return "\n".join(f"{index:{width}}  {' '.join(name.split())}" for index, name in enumerate(classes))


def _settings(origin: dict[str, Any]) -> str:
    """The known settings of the training, such as "5 epochs, seed 3"."""
    texts = {"epochs": "{} epochs", "seed": "seed {}", "verydeep": "verydeep {}"}
    return ", ".join(text.format(origin[name]) for name, text in texts.items() if name in origin)


class Markdown(str):
    """Text that is Markdown already, and is not escaped again."""


def _templates() -> jinja2.Environment:
    """All text is escaped, except for code blocks and the quoted strings of YAML."""
    templates = environment().overlay(finalize=_escaped)
    templates.filters = templates.filters | {"fenced": fenced, "quoted": quoted}
    return templates


def _escaped(value: object) -> object:
    return markdown_text(value) if type(value) is str else value


def quoted(text: str) -> Markdown:
    """``text`` as a string of JSON, which YAML reads too."""
    return Markdown(json.dumps(valid_text(text)))


def fenced(text: str, language: str = "text") -> Markdown:
    """``text`` as a code block, with a fence longer than any in the text."""
    text = terminal_text(text).rstrip()
    longest = max(map(len, re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return Markdown(f"{fence}{language}\n{text}\n{fence}")
