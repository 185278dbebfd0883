"""How to use a trained network, for its report: the commands that classify images with it."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Usage:
    """One command of the section "Try it"."""

    purpose: str
    command: str
    note: str
    """What follows, with `commands` between backticks; empty where nothing does."""


def usages(run: Path) -> Sequence[Usage]:
    """How to classify images with the network in ``run``, whose path is used as given."""

    def command(*words: str) -> str:
        return shlex.join(["verydeep", *words])

    return (
        Usage("Classify an image:", command("predict", str(run), "photo.jpg"), ""),
        Usage(
            "Open a page to drop images on, with the heat map of each:",
            command("serve", str(run)),
            "Then open `localhost:8000` in a browser. It needs `pip install 'verydeep[serve]'`.",
        ),
        Usage(
            "Write such a page for any static web server; the browser computes:",
            command("export", str(run), "--to", "web"),
            "It needs `pip install 'verydeep[onnx]'` and `npm install onnxruntime-web`.",
        ),
    )
