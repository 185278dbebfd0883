"""``verydeep data``: commands for your own images, each loaded when it is called."""

import cyclopts

app = cyclopts.App(
    name="data",
    result_action="return_value",
    help_format="plaintext",
    help_epilogue="Example: verydeep data check photos/ --out check.html",
)
_COMMANDS = {
    "check": (
        "check:check",
        "Check every image of a folder: unreadable files, duplicates, labels, classes, data leakage.",
        "verydeep data check photos/ --out check.html",
    ),
}
for _name, (_function, _help, _example) in _COMMANDS.items():
    app.command(f"verydeep.cli.{_function}", name=_name, help=_help, help_epilogue=f"Example: {_example}")
