"""On a GPU: images per second of training and inference at 224 px, beside plain eager PyTorch.

python benchmarks/gpu.py vgg16 vgg16_bn resnet50 --batch 256
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import cycle

import torch
from torch import Tensor
from torch.nn import functional

import verydeep as vd
from verydeep.architecture.preprocess import IMAGENET
from verydeep.data.augmentation.config import AugmentConfig
from verydeep.data.images import Images
from verydeep.inputs.pixels_in_memory import PixelsInMemory
from verydeep.models.build import build
from verydeep.models.checkpoint import Checkpoint
from verydeep.train.recipe import Recipe
from verydeep.train.run import fabric_on
from verydeep.train.slices import BatchPosition, backward_in_slices
from verydeep.train.state import initial_state

CUDA = torch.device("cuda")
IMAGES = 2048
NAMES = tuple(map(str, range(1000)))
PASSES_OF_TRAINING = 3
"""A backward pass computes two products for each one of the forward pass."""

Step = Callable[[], object]
"""Work on one batch."""


def main() -> None:
    """Measure the networks one after the other; print one row per way to run them."""
    parser = argparse.ArgumentParser(description="Images per second on a GPU, and share of its peak.")
    parser.add_argument("networks", nargs="*", default=["vgg16", "vgg16_bn", "resnet50"])
    parser.add_argument("--batch", type=int, default=256, help="images per step (256)")
    parser.add_argument("--rounds", type=int, default=5, help="of each way, interleaved (5)")
    arguments = parser.parse_args()
    peak = matmul_peak()
    print(f"{torch.cuda.get_device_name()}, torch {torch.__version__}: {peak / 1e12:.0f} T multiply-adds/s\n")
    print("| network | work | way | images/s, median | to plain | share of peak |")
    print("|---|---|---|---:|---:|---:|", flush=True)
    for name in arguments.networks:
        macs = vd.trace(vd.resolve(name)).totals.macs
        for work, passes, ways in (("training", PASSES_OF_TRAINING, training), ("inference", 1, inference)):
            with ExitStack() as resources:
                steps = ways(name, arguments.batch, resources)
                rates = images_per_second(steps, arguments.batch, arguments.rounds)
            plain = rates["plain"]
            for way, rate in rates.items():
                share = rate * passes * macs / peak
                print(
                    f"| {name} | {work} | {way} | {rate:,.0f} | {rate / plain:.2f} | {share:.0%} |",
                    flush=True,
                )
            del steps
            torch.cuda.empty_cache()


def training(name: str, batch: int, resources: ExitStack) -> dict[str, Step]:
    """Training steps on random images on the device, in bf16 with weights in fp32."""
    return {
        "plain": _plain_training(name, batch),
        "verydeep": _training_step(name, batch, resources, Recipe(precision="bf16")),
        "verydeep, compiled": _training_step(name, batch, resources, Recipe(precision="bf16", compile=True)),
    }


def _plain_training(name: str, batch: int) -> Step:
    """What a training loop without further care does: autocast, the default memory format, torch's SGD."""
    source = _images()
    model = _network(name).model.to(CUDA).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, nesterov=True, weight_decay=5e-4)
    position = _positions(batch)

    def step() -> None:
        images, labels = source.batch(next(position), 0, 0)
        with torch.autocast("cuda", torch.bfloat16):
            loss = functional.cross_entropy(model(images.contiguous()), labels)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def _training_step(name: str, batch: int, resources: ExitStack, recipe: Recipe) -> Step:
    """As the training loop does it."""
    source = _images(flip=True)
    fabric = fabric_on(CUDA, recipe.precision)
    state = initial_state(recipe, _network(name).model, IMAGES, fabric)
    state.part.train()
    backward = resources.enter_context(
        backward_in_slices(state.part, 1, functional.cross_entropy, fabric, compiled=recipe.compile)
    )
    position = _positions(batch)

    def step() -> None:
        backward(*source.batch(next(position), 0, 0), BatchPosition(batch, seed=0, epoch=0, step=0))
        for optimizer in state.optimizers:
            optimizer.step()
            optimizer.zero_grad()

    return step


def inference(name: str, batch: int, resources: ExitStack) -> dict[str, Step]:
    """Logits of images on the device: as `predict` computes them, and in a plain loop."""
    network = _network(name)
    model, source = network.model.to(CUDA).eval(), _images()
    pixels = source.images.pixels[:batch]

    @torch.inference_mode()
    def plain() -> None:
        model(source.batch(torch.arange(batch, device=CUDA), 0, 0).inputs.contiguous()).cpu()

    def ours() -> None:
        vd.predict_logits(model, pixels, network.preprocess, batch_size=batch)

    return {"plain": plain, "verydeep": ours}


def _network(name: str) -> Checkpoint:
    torch.manual_seed(0)
    return Checkpoint(build(vd.resolve(name)), IMAGENET, NAMES)


def _images(*, flip: bool = False) -> PixelsInMemory:
    """Random images on the device."""
    random = torch.Generator(CUDA).manual_seed(0)
    pixels = torch.randint(256, (IMAGES, 3, 224, 224), generator=random, device=CUDA, dtype=torch.uint8)
    labels = torch.randint(len(NAMES), (IMAGES,), generator=random, device=CUDA)
    return PixelsInMemory(
        images=Images(pixels, labels, NAMES),
        preprocess=IMAGENET,
        device=CUDA,
        augment=AugmentConfig(flip="random") if flip else None,
    )


def _positions(batch: int) -> Iterator[Tensor]:
    """Indices of batches, one after the other, for ever."""
    return cycle(torch.arange(IMAGES, device=CUDA).split(batch)[: IMAGES // batch])


def images_per_second(steps: dict[str, Step], batch: int, rounds: int) -> dict[str, float]:
    """The median of each way over rounds of about half a second, in turn."""
    counts = {way: _steps_in(0.5, step) for way, step in steps.items()}
    rates: dict[str, list[float]] = {way: [] for way in steps}
    for _ in range(rounds):
        for way, step in steps.items():
            rates[way].append(counts[way] * batch / _seconds(step, counts[way]))
    return {way: statistics.median(values) for way, values in rates.items()}


def _steps_in(seconds: float, step: Step) -> int:
    _seconds(step, 5)  # compiles, and lets cudnn choose
    return max(3, int(seconds / (_seconds(step, 3) / 3)))


def _seconds(step: Step, count: int) -> float:
    torch.cuda.synchronize()
    began = time.perf_counter()
    for _ in range(count):
        step()
    torch.cuda.synchronize()
    return time.perf_counter() - began


def matmul_peak(side: int = 8192, repeats: int = 30) -> float:
    """Multiply-adds per second of large bf16 matrix products: a practical peak."""
    first, second = torch.randn(2, side, side, device=CUDA, dtype=torch.bfloat16)
    _seconds(lambda: torch.mm(first, second), 5)
    return repeats * side**3 / _seconds(lambda: torch.mm(first, second), repeats)


if __name__ == "__main__":
    main()
