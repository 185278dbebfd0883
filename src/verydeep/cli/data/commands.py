"""``verydeep data``: commands for your own images, each loaded when it is called."""

import cyclopts

app = cyclopts.App(
    name="data",
    result_action="return_value",
    help_format="plaintext",
    help_epilogue="Example: verydeep data check photos/ --out check.html\n"
    "Next: verydeep tune photos/ --weights vgg16",
)
_COMMANDS = {
    "check": (
        "data.check:check",
        "Check every image of a folder: unreadable files, duplicates, labels, classes, data leakage.",
        "verydeep data check photos/ --out check.html",
        "verydeep tune photos/ --weights vgg16",
    ),
    "pack": (
        "data.pack:pack",
        "Decode and resize images once, into one file that training reads in less time.",
        "verydeep data pack photos/ --size 256 --out photos.pack",
        "verydeep train photos.pack",
    ),
    "relabel": (
        "data.relabel:relabel",
        "Apply the labels that you corrected in a list of doubtful labels.",
        "verydeep data relabel runs/tune-photos/doubtful-labels.csv",
        "verydeep data relabel runs/tune-photos/doubtful-labels.csv --apply",
    ),
}
for _name, (_function, _help, _example, _next) in _COMMANDS.items():
    app.command(
        f"verydeep.cli.{_function}", name=_name, help=_help,
        help_epilogue=f"Example: {_example}\nNext: {_next}",
    )  # fmt: skip
