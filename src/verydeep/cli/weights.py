"""``verydeep weights``: the verbs on weight files, each loaded when it is called."""

import cyclopts

app = cyclopts.App(
    name="weights",
    result_action="return_value",
    help_format="plaintext",
    help_epilogue="Example: verydeep weights get vgg16",
)
_VERBS = {
    "list": (
        "weights_catalog:list_weights",
        "List the weights that others publish: where they are, how long, how good, under which license.",
        "verydeep weights list --json",
    ),
    "get": (
        "weights_catalog:get",
        "Fetch published weights, check them, and print where they lie.",
        "verydeep weights get vgg16",
    ),
    "show": (
        "weights_files:show",
        "Tell what is in a weight file: the network, the layout, what it sees. Nothing in it is run.",
        "verydeep weights show vgg16-397923af.pth",
    ),
    "import": (
        "weights_files:import_",
        "Make a complete checkpoint of a weight file, for other classes and images if you like.",
        "verydeep weights import vgg16-397923af.pth --out vgg16.safetensors --classes 10 --channels 1",
    ),
    "export": (
        "weights_files:export",
        "Write weights to a file that torchvision, timm or Keras loads.",
        "verydeep weights export runs/fine-tuned --as torchvision --out fine-tuned.pth",
    ),
    "push": (
        "weights_catalog:push",
        "Push a checkpoint and its model card to a repository on Hugging Face's hub.",
        "verydeep weights push runs/fast-fashion-mnist user/name --license apache-2.0",
    ),
    "pull": (
        "weights_catalog:pull",
        "Pull a checkpoint from a repository on Hugging Face's hub, check it, and print where it lies.",
        "verydeep weights pull user/name --out runs/name",
    ),
}
for _name, (_place, _what, _example) in _VERBS.items():
    app.command(f"verydeep.cli.{_place}", name=_name, help=_what, help_epilogue=f"Example: {_example}")
