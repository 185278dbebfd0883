"""``verydeep weights``: the commands on weight files, each imported when it is called."""

import cyclopts

app = cyclopts.App(
    name="weights",
    result_action="return_value",
    help_format="plaintext",
    help_epilogue="Example: verydeep weights get vgg16\nNext: verydeep tune photos/ --weights vgg16",
)
_COMMANDS = {
    "list": (
        "weights.catalog:list_weights",
        "List published pretrained weights: file size, accuracy and license.",
        "verydeep weights list --json",
        "verydeep weights get vgg16",
    ),
    "get": (
        "weights.catalog:get",
        "Download published weights, verify their checksum, and print the path.",
        "verydeep weights get vgg16",
        "verydeep tune photos/ --weights vgg16",
    ),
    "show": (
        "weights.files:show",
        "Show the contents of a weight file: network, layout, preprocessing. No code in it is run.",
        "verydeep weights show vgg16-397923af.pth",
        "verydeep weights import vgg16-397923af.pth --out vgg16.safetensors",
    ),
    "import": (
        "weights.files:import_",
        "Convert a weight file to a checkpoint, optionally for other classes, channels and image sizes.",
        "verydeep weights import vgg16-397923af.pth --out vgg16.safetensors --classes 10 --channels 1",
        "verydeep tune photos/ --weights vgg16.safetensors",
    ),
    "export": (
        "weights.files:export",
        "Export weights to a file that torchvision, timm or Keras loads.",
        "verydeep weights export runs/fine-tuned --as torchvision --out fine-tuned.pth",
        "verydeep weights show fine-tuned.pth",
    ),
    "push": (
        "weights.catalog:push",
        "Push a checkpoint and its model card to a repository on the Hugging Face Hub.",
        "verydeep weights push runs/fast-fashion-mnist user/name --license apache-2.0",
        "verydeep weights pull user/name --out runs/name",
    ),
    "pull": (
        "weights.catalog:pull",
        "Pull a checkpoint from a repository on the Hugging Face Hub, check it, and print the path.",
        "verydeep weights pull user/name --out runs/name",
        "verydeep predict runs/name photos/",
    ),
}
for _name, (_function, _help, _example, _next) in _COMMANDS.items():
    app.command(
        f"verydeep.cli.{_function}", name=_name, help=_help,
        help_epilogue=f"Example: {_example}\nNext: {_next}",
    )  # fmt: skip
