"""``verydeep weights``: the verbs on weight files, each loaded when it is called."""

import cyclopts

app = cyclopts.App(name="weights", result_action="return_value", help_format="plaintext")
_VERBS = {
    "show": (
        "convert:show",
        "Tell what is in a weight file: the network, the layout, what it sees. Nothing in it is run.",
        "verydeep weights show vgg16-397923af.pth",
    ),
    "import": (
        "convert:import_",
        "Make a complete checkpoint of a weight file, for other classes and images if you like.",
        "verydeep weights import vgg16-397923af.pth --out vgg16.safetensors --classes 10 --channels 1",
    ),
    "export": (
        "convert:export",
        "Write weights to a file that torchvision, timm or Keras loads.",
        "verydeep weights export runs/fine-tuned --as torchvision --out fine-tuned.pth",
    ),
}
for _name, (_place, _what, _example) in _VERBS.items():
    app.command(f"verydeep.cli.{_place}", name=_name, help=f"{_what}\n\nExample: {_example}")
