"""On a GPU: images per second of training and inference at 224 px, beside plain eager PyTorch.

python benchmarks/gpu.py vgg16 vgg16_bn resnet50 --batch 256
python benchmarks/gpu.py "8 M 16 M | gap" --device cpu --quick
"""

import argparse
import copy
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.utils import convert_conv2d_weight_memory_format

import verydeep as vd
from verydeep.architecture.architecture import Architecture
from verydeep.architecture.preprocess import IMAGENET, Preprocess
from verydeep.data.augmentation.config import AugmentConfig
from verydeep.data.images import Images
from verydeep.data.images_on_disk import ImagesOnDisk
from verydeep.data.normalize import normalize
from verydeep.decoding.stream import BATCHES_AHEAD
from verydeep.image_sources.open_images import read_samples
from verydeep.image_sources.samples import Samples
from verydeep.inputs.augmented_batch import to_channels_last
from verydeep.inputs.batch_source import TrainingBatch
from verydeep.inputs.decoding_processes import decoding_processes
from verydeep.inputs.pixels_in_memory import PixelsInMemory
from verydeep.inputs.streamed_images import StreamedImages
from verydeep.inputs.write_pack import write_pack
from verydeep.machine import processor_name
from verydeep.models.build import build
from verydeep.models.checkpoint import Checkpoint
from verydeep.train.recipe import Recipe
from verydeep.train.run import fabric_on
from verydeep.train.slices import BatchPosition, backward_in_slices
from verydeep.train.state import initial_state

NAMES = tuple(map(str, range(1000)))
PASSES = {"training": 3, "inference": 1}
"""A backward pass computes two products for each one of the forward pass."""
SECONDS = 0.5
"""Of one way in a round, about."""
STEPS_PLANNED = 100_000
"""Of training from a pack: more than there is time for."""

Step = Callable[[], object]
"""Work on one batch."""
Ways = dict[str, Callable[[], Step]]
"""What prepares each way of doing the same work; the first one is plain PyTorch."""
Batches = Iterator[TrainingBatch]


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What all ways have in common."""

    device: torch.device
    batch: int = 256
    size: int = 224
    images: int = 2048
    rounds: int = 5
    """Of each way, in turn."""
    matrix: int = 8192
    """Rows of the matrix products that the share of the peak refers to."""

    @property
    def preprocess(self) -> Preprocess:
        """For random weights."""
        return replace(IMAGENET, size=self.size, resize=None)

    def network(self, architecture: Architecture) -> Checkpoint:
        """Randomly initialized, the same each time."""
        torch.manual_seed(0)
        return Checkpoint(build(architecture), self.preprocess, NAMES)

    def positions(self) -> Iterator[Tensor]:
        """Indices of batches, one after the other, for ever."""
        return cycle(torch.arange(self.images).split(self.batch)[: self.images // self.batch])

    def seconds(self, step: Step, count: int) -> float:
        """Of ``count`` steps, until the device is done with them."""
        self._wait()
        began = time.perf_counter()
        for _ in range(count):
            step()
        self._wait()
        return time.perf_counter() - began

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()


@dataclass
class TimeLimit:
    """Skips what would not be done in time, and knows what that was."""

    end: float
    """By ``time.perf_counter``."""
    longest: float = 0.0
    """The seconds that a way has taken to prepare."""
    skipped: list[str] = field(default_factory=list)

    def prepared(self, what: str, prepare: Callable[[], Step], reserve: float) -> Step | None:
        """The step that ``prepare`` gives; None where ``reserve`` seconds after it would be too late."""
        began = time.perf_counter()
        if began + self.longest + reserve > self.end:
            self.skipped.append(what)
            return None
        step = prepare()
        self.longest = max(self.longest, time.perf_counter() - began)
        return step


def main() -> None:
    """Measure the networks one after the other; print one row per way to run them."""
    parser = argparse.ArgumentParser(description="Images per second on a GPU, and share of its peak.")
    parser.add_argument("networks", nargs="*", default=["vgg16", "vgg16_bn", "resnet50"])
    parser.add_argument("--batch", type=int, default=256, help="images per step (256)")
    parser.add_argument("--rounds", type=int, default=5, help="of each way, interleaved (5)")
    parser.add_argument("--minutes", type=float, default=8, help="what takes longer is skipped (8)")
    parser.add_argument("--device", choices=["cuda", "cpu"], default="cuda", help="where to compute (cuda)")
    parser.add_argument(
        "--quick",
        action="store_true",
        help="one round of batches of 4 images of 32 px, to try the script on a CPU",
    )
    arguments = parser.parse_args()
    limit = TimeLimit(time.perf_counter() + 60 * arguments.minutes)
    if arguments.device == "cuda" and not torch.cuda.is_available():
        parser.exit(2, "This machine has no GPU that torch can use; --device cpu --quick tries the script.\n")
    device = torch.device(arguments.device)
    setting = Setting(device=device, batch=arguments.batch, rounds=arguments.rounds)
    if arguments.quick:
        setting = replace(setting, batch=4, size=32, images=64, rounds=1, matrix=512)
    peak = matmul_peak(setting)
    processor = torch.cuda.get_device_name() if arguments.device == "cuda" else processor_name()
    print(f"{processor}, torch {torch.__version__}: {peak / 1e12:.3g} T multiply-adds/s\n")
    print("| network | work | way | images/s, median | to plain | share of peak |")
    print("|---|---|---|---:|---:|---:|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        pack = packed_noise(Path(folder), setting)
        for name in arguments.networks:
            measure(name, setting, pack, peak, limit)
    if limit.skipped:
        print(f"\nSkipped, as {arguments.minutes:g} minutes are too short: {'; '.join(limit.skipped)}")


def measure(name: str, setting: Setting, pack: Samples, peak: float, limit: TimeLimit) -> None:
    """Print the rows of a network; ``peak`` is in multiply-adds per second."""
    architecture = vd.resolve(name).with_classes(len(NAMES)).with_input(3, setting.size)
    macs = vd.trace(architecture).totals.macs
    shown = name.replace("|", "\\|")
    for work, passes in PASSES.items():
        with ExitStack() as resources:
            ways = (
                training(architecture, setting, pack, resources)
                if work == "training"
                else inference(architecture, setting)
            )
            rates = images_per_second(f"{name} {work}", ways, setting, limit)
        for way, rate in rates.items():
            to_plain, share = rate / rates["plain"], rate * passes * macs / peak
            print(f"| {shown} | {work} | {way} | {rate:,.0f} | {to_plain:.2f} | {share:.0%} |", flush=True)
        torch.cuda.empty_cache()


def training(architecture: Architecture, setting: Setting, pack: Samples, resources: ExitStack) -> Ways:
    """Training steps in bf16 with weights in fp32, on images that are on the device or in a pack."""
    ours = partial(_training_step, setting.network(architecture), setting, resources)
    eager, compiled = Recipe(precision="bf16"), Recipe(precision="bf16", compile=True)
    on_device = partial(_batches_on_device, setting, AugmentConfig(flip="random"))
    return {
        "plain": partial(_plain_training, setting.network(architecture), setting),
        "verydeep": lambda: ours(eager, on_device()),
        "verydeep, compiled": lambda: ours(compiled, on_device()),
        "verydeep, compiled, from a pack": lambda: ours(compiled, _batches_of_pack(setting, pack, resources)),
    }


def _plain_training(network: Checkpoint, setting: Setting) -> Step:
    """What a training loop without further care does: autocast, the default memory format, torch's SGD."""
    batches = _batches_on_device(setting, None)
    model = network.model.to(setting.device).train()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, nesterov=True, weight_decay=5e-4)

    def step() -> None:
        images, labels = next(batches)
        with torch.autocast(setting.device.type, torch.bfloat16):
            loss = functional.cross_entropy(model(images.contiguous()), labels)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def _training_step(
    network: Checkpoint, setting: Setting, resources: ExitStack, recipe: Recipe, batches: Batches
) -> Step:
    """As the training loop does it."""
    fabric = fabric_on(setting.device, recipe.precision)
    state = initial_state(recipe, copy.deepcopy(network.model), setting.images, fabric)
    state.part.train()
    backward = resources.enter_context(
        backward_in_slices(state.part, 1, functional.cross_entropy, fabric, compiled=recipe.compile)
    )

    def step() -> None:
        backward(*next(batches), BatchPosition(setting.batch, seed=0, epoch=0, step=0))
        for optimizer in state.optimizers:
            optimizer.step()
            optimizer.zero_grad()

    return step


def _batches_on_device(setting: Setting, augment: AugmentConfig | None) -> Batches:
    images = PixelsInMemory(
        images=Images(_pixels(setting, setting.images), _labels(setting), NAMES),
        preprocess=setting.preprocess, device=setting.device, augment=augment,
    )  # fmt: skip
    return (images.batch(indices.to(setting.device), 0, 0) for indices in setting.positions())


def _batches_of_pack(setting: Setting, pack: Samples, resources: ExitStack) -> Batches:
    """Random resized crops, as the recipe `imagenet` takes them."""
    images = ImagesOnDisk(
        sources=pack.sources, labels=torch.from_numpy(pack.labels), classes=pack.classes,
        preprocess=setting.preprocess,
    )  # fmt: skip
    source = StreamedImages(
        images=images, preprocess=setting.preprocess, device=setting.device,
        augment=AugmentConfig(flip="random", crop=0.08),
        processes=resources.enter_context(decoding_processes(images)),
    )  # fmt: skip
    plan = list(islice(setting.positions(), STEPS_PLANNED))
    return resources.enter_context(closing(source.batches(plan, 0, 0)))


def inference(architecture: Architecture, setting: Setting) -> Ways:
    """Logits of images on the device: in a plain loop, as `predict` computes them, and in bf16."""
    network, pixels = setting.network(architecture), _pixels(setting, setting.batch)
    model = network.model.to(setting.device).eval()
    rounded = copy.deepcopy(model).to(torch.bfloat16)
    convert_conv2d_weight_memory_format(rounded, torch.channels_last)
    graphs = partial(torch.compile, rounded, mode="reduce-overhead")  # CUDA graphs

    def inputs() -> Tensor:
        return normalize(pixels, network.preprocess)

    def inputs_in_bf16() -> Tensor:
        return to_channels_last(inputs()).bfloat16()

    return {
        "plain": lambda: _logits(model, inputs),
        "plain, bf16": lambda: _logits(copy.deepcopy(model).to(torch.bfloat16), lambda: inputs().bfloat16()),
        "verydeep": lambda: partial(
            vd.predict_logits, model, pixels, network.preprocess, batch_size=setting.batch
        ),
        "bf16, channels last": lambda: _logits(rounded, inputs_in_bf16),
        "bf16, channels last, compiled": lambda: _logits(graphs(), inputs_in_bf16),
    }


def _logits(model: Callable[[Tensor], Tensor], inputs: Callable[[], Tensor]) -> Step:
    @torch.inference_mode()
    def step() -> Tensor:
        return model(inputs()).float().cpu()

    return step


def _pixels(setting: Setting, count: int) -> Tensor:
    """Random ones on the device."""
    random = torch.Generator(setting.device).manual_seed(0)
    shape = (count, 3, setting.size, setting.size)
    return torch.randint(256, shape, generator=random, device=setting.device, dtype=torch.uint8)


def _labels(setting: Setting) -> Tensor:
    return torch.arange(setting.images, device=setting.device) % len(NAMES)


@dataclass(frozen=True)
class Noise:
    """A random image, as a file in memory."""

    number: int
    side: int

    def read(self) -> bytes:
        """In the format PPM."""
        header = f"P6 {self.side} {self.side} 255\n".encode()
        return header + np.random.default_rng(self.number).bytes(3 * self.side**2)


def packed_noise(folder: Path, setting: Setting) -> Samples:
    """Images in a pack, a little larger than those that are trained on, as in a pack of ImageNet."""
    numbers, side = range(setting.images), setting.size * 8 // 7
    samples = Samples(
        name="noise", sources=[Noise(number, side) for number in numbers],
        names=[f"{number}.ppm" for number in numbers], labels=np.arange(setting.images) % len(NAMES),
        classes=NAMES, parts=(None,) * setting.images,
    )  # fmt: skip
    return read_samples(write_pack(samples, folder / "images.pack", side).path)


def images_per_second(work: str, ways: Ways, setting: Setting, limit: TimeLimit) -> dict[str, float]:
    """The median of each way over rounds of about half a second, in turn."""
    counts: dict[str, int] = {}
    steps: dict[str, Step] = {}
    for way, prepare in ways.items():
        reserve = setting.rounds * SECONDS * (len(steps) + 1)
        step = limit.prepared(f"{work}, {way}", partial(_warm, prepare, setting), reserve)
        if step is not None:
            steps[way] = step
            counts[way] = max(3, int(SECONDS / (setting.seconds(step, 3) / 3)))
    rates: dict[str, list[float]] = {way: [] for way in steps}
    for _ in range(setting.rounds):
        for way, step in steps.items():
            setting.seconds(step, BATCHES_AHEAD)  # that were decoded while other ways ran
            rates[way].append(counts[way] * setting.batch / setting.seconds(step, counts[way]))
    return {way: statistics.median(values) for way, values in rates.items()}


def _warm(prepare: Callable[[], Step], setting: Setting) -> Step:
    step = prepare()
    setting.seconds(step, 5)  # compiles, and lets cudnn choose
    return step


def matmul_peak(setting: Setting, repeats: int = 30) -> float:
    """Multiply-adds per second of large bf16 matrix products: a practical peak."""
    side = setting.matrix
    first, second = torch.randn(2, side, side, device=setting.device, dtype=torch.bfloat16)
    setting.seconds(lambda: torch.mm(first, second), 5)
    return repeats * side**3 / setting.seconds(lambda: torch.mm(first, second), repeats)


if __name__ == "__main__":
    main()
