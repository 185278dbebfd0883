"""``verydeep evaluate``: how good a trained network is on a data set."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from verydeep.cli.console import err, out, print_json
from verydeep.cli.progress import ByteProgress
from verydeep.data.builtin import load_dataset
from verydeep.data.images import Images
from verydeep.errors import DataError
from verydeep.evaluate.metrics import Evaluation, evaluation
from verydeep.evaluate.predict import predict
from verydeep.recipes.machine import Device, choose_device
from verydeep.report.measured import evaluation_table
from verydeep.weights.checkpoint import Checkpoint
from verydeep.weights.load import load_classifier


def evaluate(
    run: Annotated[Path, Parameter(name="RUN")],
    data: Annotated[str, Parameter(name="DATA")],
    /,
    *,
    device: Device = "auto",
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Measure the network of RUN on the test images of DATA.

    Parameters
    ----------
    run
        A run folder, a checkpoint, or a weight file of torchvision, timm, Keras or others.
    data
        The name of a data set, with the classes that the network knows.
    device
        Where to compute; auto takes a GPU where there is one.
    json
        Print one JSON object: top1, top5, loss, per_class.
    """
    network = load_classifier(run)
    with ByteProgress(err(), f"Fetching {data}") as progress:
        test = load_dataset(data, progress=progress).test
    result = _evaluate(network, _fitting(network, test, data), device)
    if json:
        print_json(
            {"top1": result.top1, "top5": result.top5, "loss": result.loss, "per_class": result.per_class}
        )
    else:
        out().print(evaluation_table(result))
    return 0


def _fitting(network: Checkpoint, test: Images, data: str) -> Images:
    """The test images, labelled in the network's order of classes: matched by name."""
    if set(test.classes) != set(network.classes):
        raise DataError(
            f"{data} has the classes {', '.join(test.classes)}; the network knows "
            f"{', '.join(network.classes)}. Evaluate it on data of its own classes"
        )
    places = [network.classes.index(name) for name in test.classes]
    labels = test.labels.new_tensor(places)[test.labels]
    return Images(test.pixels, labels, network.classes)


def _evaluate(network: Checkpoint, test: Images, device: Device) -> Evaluation:
    model = network.model.to(choose_device(device))
    return evaluation(predict(model, test.pixels, network.preprocess), test.labels, test.classes)
