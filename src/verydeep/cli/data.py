"""``verydeep data``: the verbs on images of one's own, each loaded when it is called."""

import cyclopts

app = cyclopts.App(
    name="data",
    result_action="return_value",
    help_format="plaintext",
    help_epilogue="Example: verydeep data check photos/ --out check.html",
)
_VERBS = {
    "check": (
        "check:check",
        "Look at every image of a folder, and tell what is wrong: damage, duplicates, labels, classes.",
        "verydeep data check photos/ --out check.html",
    ),
}
for _name, (_place, _what, _example) in _VERBS.items():
    app.command(f"verydeep.cli.{_place}", name=_name, help=_what, help_epilogue=f"Example: {_example}")
