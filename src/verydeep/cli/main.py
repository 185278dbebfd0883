"""The command line: one file per command, imported when it is called, and the error messages."""

import sys
from collections.abc import Callable, Sequence
from functools import partial

import cyclopts

import verydeep
from verydeep.errors import Interrupted, LearningError, StoppedByOtherRank, VeryDeepError
from verydeep.terminal.console import accept_any_text, err, out, print_error
from verydeep.terminal.help_page import HelpFormatter
from verydeep.terminal.torchrun_error import fail_on_all_ranks
from verydeep.terminal.usage_error import usage_panel
from verydeep.torchrun import world_size


def _version() -> str:
    return str(verydeep.__version__)


app = cyclopts.App(
    name="verydeep",
    help="VGG, AlexNet and ResNet for image classification: build, train, fine-tune, evaluate and explain "
    "convolutional networks.",
    result_action="return_value",
    suppress_keyboard_interrupt=False,  # it has a message below
    help_format="plaintext",  # markdown would cost 50 ms
    help_epilogue="Get started: verydeep tune photos/ trains a classifier on your own images; "
    "verydeep show vgg16 shows a network. verydeep COMMAND --help has an example of each command.",
    help_formatter=HelpFormatter(),
    version=_version,
    console=out(),  # which ends quietly where the reader of a help page is gone
    error_console=err(),
    error_formatter=usage_panel,
)
app.register_install_completion_command(
    help="Complete commands and flags with the Tab key: writes a script for your shell, and a line into its "
    "startup file."
)
# The help of a command is here and not in its file, so that the list of commands needs no torch. The example
# and the next step are at the end of the command's help page; a command with subcommands (``:app``) has them
# in its own file.
_COMMANDS = {
    "list": (
        "list:list_networks",
        "List the networks that have a name (the model zoo).",
        "verydeep list --json",
        "verydeep show vgg16",
    ),
    "show": (
        "show:show",
        "Show a network layer by layer: parameters, MACs, receptive field, training memory.",
        'verydeep show "64x2 M 128x2 M | gap" --size 32 --classes 10',
        'verydeep train fashion-mnist --model "64x2 M 128x2 M | gap"',
    ),
    "compare": (
        "compare:compare_networks",
        "Compare networks: depth, parameters, MACs, receptive field, published accuracy.",
        "verydeep compare vgg16 vgg19 resnet34 alexnet",
        "verydeep show resnet34",
    ),
    "data": (
        "data.commands:app",
        "Check your own image folder: damaged files, duplicates, data leakage, class imbalance.",
        "",
        "",
    ),
    "train": (
        "train.command:train",
        "Train a network, and write its report.",
        "verydeep train fashion-mnist --epochs 8 --optimizer.lr 0.05",
        "verydeep evaluate runs/fast-fashion-mnist fashion-mnist",
    ),
    "tune": (
        "tune.command:tune",
        "Train a classifier on a folder of your own images (transfer learning).",
        "verydeep tune photos/ --weights vgg16",
        "verydeep predict runs/tune-photos new-photos/",
    ),
    "runs": (
        "runs:list_runs",
        "List the runs in a folder: data, network, accuracy, training time, and how they differ.",
        "verydeep runs runs/ --json",
        "verydeep evaluate runs/fast-fashion-mnist fashion-mnist",
    ),
    "evaluate": (
        "evaluate:evaluate",
        "Evaluate a trained network: accuracy with confidence intervals, confusion matrix, calibration.",
        "verydeep evaluate runs/fast-fashion-mnist fashion-mnist",
        "verydeep explain runs/fast-fashion-mnist shoe.jpg",
    ),
    "predict": (
        "predict:predict",
        "Predict the classes of images.",
        "verydeep predict runs/fast-fashion-mnist photos/ shoe.jpg --out predictions.csv",
        "verydeep explain runs/fast-fashion-mnist shoe.jpg",
    ),
    "explain": (
        "explain:explain",
        "Explain predictions: Grad-CAM and other heat maps, strongest patches, first-layer filters.",
        "verydeep explain runs/fast-fashion-mnist shoe.jpg --method occlusion",
        "verydeep similar runs/fast-fashion-mnist photos/ shoe.jpg",
    ),
    "embed": (
        "embed:embed",
        "Extract features: write one vector (embedding) per image.",
        "verydeep embed runs/fast-fashion-mnist photos/ --out vectors.npz",
        "verydeep similar runs/fast-fashion-mnist vectors.npz shoe.jpg",
    ),
    "similar": (
        "similar.command:similar",
        "Find the images most similar to a query image.",
        "verydeep similar runs/fast-fashion-mnist photos/ shoe.jpg --out like-shoe.png",
        "verydeep data check photos/",
    ),
    "serve": (
        "serve:serve",
        "Serve a network over HTTP, with a page to classify images in the browser.",
        "verydeep serve runs/fast-fashion-mnist --port 8000",
        "verydeep predict runs/fast-fashion-mnist photos/",
    ),
    "study": (
        "study.command:study",
        "Run a prepared experiment on depth, initialization or shortcuts, and write its report.",
        "verydeep study depth",
        "verydeep study init",
    ),
    "recipes": (
        "recipes:app",
        "List the training recipes, or copy one to edit it.",
        "",
        "",
    ),
    "export": (
        "export.command:export",
        "Export a trained network for another runtime, such as ONNX Runtime.",
        "verydeep export runs/fast-fashion-mnist --to onnx --out fashion.onnx",
        "verydeep predict fashion.onnx shoe.jpg",
    ),
    "compress": (
        "compress.command:compress",
        "Make a trained network smaller and faster at a stated loss: fold batch norms, remove channels.",
        "verydeep compress runs/fast-fashion-mnist --drop 0.5",
        "verydeep bench runs/compress-fast-fashion-mnist",
    ),
    "bench": (
        "bench.command:bench",
        "Time a network in every installed runtime, side by side.",
        "verydeep bench runs/fast-fashion-mnist --batch 1 16",
        "verydeep export runs/fast-fashion-mnist --to onnx",
    ),
    "weights": (
        "weights.commands:app",
        "Download published weights, inspect weight files, convert them to and from other libraries.",
        "",
        "",
    ),
    "cache": (
        "installation:cache",
        "List what verydeep keeps in its cache folder (downloads, features), or remove it.",
        "",
        "",
    ),
    "info": (
        "installation:info",
        "Show what a bug report needs: versions, machine, precision, cache, language.",
        "verydeep info",
        "verydeep cache list",
    ),
}
for _name, (_target, _summary, _example, _next) in _COMMANDS.items():
    _end = {"help_epilogue": f"Example: {_example}\nNext: {_next}"} if _example else {}
    app.command(f"verydeep.cli.{_target}", name=_name, help=_summary, **_end)


_FULL = frozenset({"lightning_fabric", "matplotlib", "safetensors", "tomli_w", "torch"})
"""What the distribution verydeep-runtime leaves out."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit code is 0, 1 (failure), 2 (usage error, full disk) or 130 (interrupted).

    With 1 the rest is done: some images are broken, or training does not learn. It is 141 where the reader of
    stdout is gone, as in ``| head``.
    """
    return exit_code(partial(_run_command, arguments), arguments)


def _run_command(arguments: Sequence[str] | None) -> object:
    _require_made_for_torchrun(sys.argv[1:] if arguments is None else arguments)
    return app(arguments)


def exit_code(command: Callable[[], object], arguments: Sequence[str] | None = None) -> int:
    """Run ``command`` and print its error, as ``main`` does.

    ``arguments`` are those to look through for a wrong path, by default those of the process.
    """
    accept_any_text()
    try:
        code = command()
    except StoppedByOtherRank as stopped:
        return _code_of(stopped.__cause__)
    except Interrupted as interrupted:
        print_error(str(interrupted), title="Stopped")
        return _code_of(interrupted)
    except LearningError as error:
        print_error(str(error))
        return _code_of(error)
    except VeryDeepError as error:
        print_error(_with_suggestion(str(error), arguments))
        return 2
    except ImportError as error:
        missing = error.__cause__ or error  # cyclopts wraps what fails while a command is imported
        if (
            not isinstance(missing, ModuleNotFoundError)
            or (missing.name or "").partition(".")[0] not in _FULL
        ):
            raise
        print_error(f"this command needs PyTorch ({missing}): pip install verydeep, not verydeep-runtime")
        return 2
    except OSError as error:
        message = f"{error.filename or 'the disk'}: {error.strerror or error}"
        print_error(_with_suggestion(message, arguments))
        return 2
    except KeyboardInterrupt:
        print_error("interrupted", title="Stopped")
        return 130
    except Exception as error:
        if (lack := _too_little_room(error)) is None:
            raise
        print_error(lack)
        return 2
    return code if isinstance(code, int) else 0


def _code_of(error: BaseException | None) -> int:
    if isinstance(error, Interrupted):
        return 130
    return 1 if isinstance(error, LearningError) else 2


_SHARED = frozenset({"train", "predict", "embed"})
"""Commands whose work the processes of torchrun share."""


def _require_made_for_torchrun(arguments: Sequence[str]) -> None:
    """Refuse a command that each process of torchrun would run as a whole.

    Raises:
        RankError: in the first process.
        StoppedByOtherRank: in the others.
    """
    command = arguments[0] if arguments else ""
    if world_size() == 1 or command not in _COMMANDS or command in _SHARED:
        return
    fail_on_all_ranks(f"`verydeep {command}` computes in one process: run it without torchrun")


def _with_suggestion(message: str, arguments: Sequence[str] | None) -> str:
    from verydeep.terminal.path_suggestion import path_suggestion  # only a failure needs it

    return message + path_suggestion(message, sys.argv[1:] if arguments is None else arguments)


def _too_little_room(error: Exception) -> str | None:
    """What to say where the disk or a GPU is full, by errors of libraries; None for all others."""
    if type(error).__name__ == "OutOfMemoryError":  # that of torch, which a bundle does without
        return (
            f"the GPU has too little memory: {_first_line(error)} Compute fewer images at a time (--slices 4 "
            "in training; --batch where a command has it), or on the CPU (--device cpu)"
        )
    if isinstance(error, MemoryError) or "can't allocate memory" in str(error):  # of NumPy; of torch
        return (
            f"the machine has too little memory: {_first_line(error)}. Compute fewer images at a time, or "
            "smaller ones"
        )
    library = sys.modules.get("safetensors")  # its error for a full disk is no OSError
    is_disk = library is not None and isinstance(error, library.SafetensorError) and "I/O error" in str(error)
    return f"the disk: {error}" if is_disk else None


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "there is no more")


def run() -> None:
    """The entry point of the console script."""
    sys.exit(main())
