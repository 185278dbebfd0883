"""``verydeep data``: commands for your own images, each loaded when it is called."""

import cyclopts

app = cyclopts.App(name="data", result_action="return_value", help_format="plaintext")
_COMMANDS = {
    "check": (
        "check:check",
        "Check every image of a folder: unreadable files, duplicates, labels, classes, data leakage.",
        "verydeep data check photos/ --out check.html",
    ),
}
for _name, (_import_path, _description, _example) in _COMMANDS.items():
    app.command(f"verydeep.cli.{_import_path}", name=_name, help=f"{_description}\n\nExample: {_example}")
