"""The command: one verb a file, loaded when it is called, and one place where errors become words."""

import sys
from collections.abc import Sequence

import cyclopts

from verydeep.errors import Interrupted, LearningError, VeryDeepError
from verydeep.terminal.console import say_error


def _version() -> str:
    from importlib.metadata import version  # 50 ms that no other verb should pay

    return version("verydeep")


def _panel(error: cyclopts.CycloptsError) -> object:
    """``error`` as cyclopts shows it; to name the verb that was meant, it would load them all, and torch."""
    if not isinstance(error, cyclopts.UnknownCommandError) or not error.unused_tokens or error.app is None:
        return cyclopts.CycloptsPanel(error)
    import difflib

    wanted, verbs = error.unused_tokens[0], [name for name in error.app if not name.startswith("-")]
    near = difflib.get_close_matches(wanted, verbs, n=1)
    hint = f'Did you mean "{near[0]}"? ' if near else ""
    return cyclopts.CycloptsPanel(
        f'Unknown command "{wanted}". {hint}Available commands: {", ".join(verbs)}.'
    )


app = cyclopts.App(
    name="verydeep",
    help="Very deep plain convolutional networks: VGG, with AlexNet before it and ResNet after it.",
    result_action="return_value",
    help_format="plaintext",  # markdown would cost 50 ms
    help_epilogue="First steps: verydeep show vgg16, then verydeep train fashion-mnist",
    version=_version,
    error_formatter=_panel,
)
# The first paragraph stands in the list of verbs, all of it on the verb's own page; here and not beside
# the verb, so that the list is shown without loading torch.
_VERBS = {
    "list": ("list:list_networks", "List the networks of the zoo.", "verydeep list --json"),
    "show": (
        "show:show",
        "Print what a network costs, layer by layer, exactly.",
        'verydeep show "64x2 M 128x2 M | gap" --size 32 --classes 10',
    ),
    "compare": (
        "compare:compare_networks",
        "Put networks side by side.",
        "verydeep compare vgg16 vgg19 resnet34 alexnet",
    ),
    "data": (
        "data:app",
        "Check images of your own: damage, duplicates, labels, classes.",
        "verydeep data check photos/ --out check.html",
    ),
    "train": (
        "train:train",
        "Train a network, and write its report.",
        "verydeep train fashion-mnist --epochs 8 --optimizer.lr 0.05",
    ),
    "tune": (
        "tune:tune",
        "Make a classifier of a folder of one's own images.",
        "verydeep tune photos/ --weights vgg16",
    ),
    "evaluate": (
        "evaluate:evaluate",
        "Evaluate a trained network: accuracy with confidence intervals, confusion matrix, calibration.",
        "verydeep evaluate runs/fast-fashion-mnist fashion-mnist",
    ),
    "predict": (
        "predict:predict",
        "Predict the classes of images.",
        "verydeep predict runs/fast-fashion-mnist photos/ shoe.jpg --out predictions.csv",
    ),
    "explain": (
        "explain:explain",
        "Explain predictions: Grad-CAM and other heat maps, strongest patches, first-layer filters.",
        "verydeep explain runs/fast-fashion-mnist shoe.jpg --method occlusion",
    ),
    "embed": (
        "embed:embed",
        "Extract features: write one vector (embedding) per image.",
        "verydeep embed runs/fast-fashion-mnist photos/ --out vectors.npz",
    ),
    "similar": (
        "similar:similar",
        "Find the images most similar to a query image.",
        "verydeep similar runs/fast-fashion-mnist photos/ shoe.jpg --out like-shoe.png",
    ),
    "study": (
        "study:study",
        "Run a prepared experiment, and write what it shows.",
        "verydeep study depth",
    ),
    "recipes": (
        "recipes:app",
        "List the recipes, or copy one to edit.",
        "verydeep recipes copy fast mine.toml",
    ),
    "weights": (
        "weights:app",
        "Fetch weights that others publish, look into files, bring them in, write them out.",
        "verydeep weights get vgg16",
    ),
}
for _name, (_place, _what, _example) in _VERBS.items():
    app.command(f"verydeep.cli.{_place}", name=_name, help=f"{_what}\n\nExample: {_example}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit code is 0, 1 (something failed), 2 (the user's mistake) or 130 (stopped)."""
    try:
        code = app(arguments)
    except Interrupted as stopped:
        say_error(str(stopped), title="Stopped")
        return 130
    except LearningError as error:
        say_error(str(error))
        return 1
    except VeryDeepError as error:
        say_error(str(error))
        return 2
    except OSError as error:
        say_error(f"{error.filename or 'the disk'}: {error.strerror or error}")
        return 1
    except KeyboardInterrupt:
        say_error("interrupted", title="Stopped")
        return 130
    except Exception as error:
        if not _of_the_disk(error):
            raise
        say_error(f"the disk: {error}")
        return 1
    return code if isinstance(code, int) else 0


def _of_the_disk(error: Exception) -> bool:
    """Whether safetensors could not write: its own error for a full disk is no OSError."""
    library = sys.modules.get("safetensors")
    return library is not None and isinstance(error, library.SafetensorError) and "I/O error" in str(error)


def run() -> None:
    """The console script."""
    sys.exit(main())
