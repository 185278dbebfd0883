"""What each rank of test_ranks.py runs; started by torchrun as a module, with a folder."""

import sys
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch.nn import functional
from torch.utils._python_dispatch import TorchDispatchMode

from tests.data.pictures import picture, save
from tests.train.shapes import PREPROCESS, TRAIN, network
from verydeep import torchrun
from verydeep.data import synthetic
from verydeep.data.augmentation.config import AugmentConfig
from verydeep.errors import Interrupted, VeryDeepError
from verydeep.image_sources.open_images import read_samples
from verydeep.inputs.batch_source import TrainingInputs
from verydeep.inputs.pixels_in_memory import PixelsInMemory
from verydeep.inputs.write_pack import write_pack
from verydeep.packs.layout import PIXELS_START
from verydeep.train.device import choose_device
from verydeep.train.loop import fit
from verydeep.train.optimizer.config import OptimizerConfig
from verydeep.train.optimizer.schedule import ScheduleConfig
from verydeep.train.parallel.collectives import by_first, gathered, logits_by_rank, require_same
from verydeep.train.parallel.hybrid import make_hybrid, split
from verydeep.train.parallel.process_group import process_group
from verydeep.train.parallel.ranks import is_first, rank, rank_count
from verydeep.train.parallel.store import first_of_host, wait_for_all
from verydeep.train.recipe import Recipe
from verydeep.train.run import TrainingWatcher, fabric_on
from verydeep.train.slices import BatchPosition, backward_in_slices
from verydeep.train.state import initial_state
from verydeep.train.train import train_network

DATA = synthetic.dataset(130, 47, size=16, classes=3)
BASE = Recipe(
    model="8 M 16 M | gap 16", norm="batch", dropout=0.5, epochs=2, batch_size=26, precision="fp32", slices=2,
    optimizer=OptimizerConfig(name="sgd", lr=0.05), augment=AugmentConfig(flip="random", shift=1),
)  # fmt: skip
RECIPES = {
    "sgd": replace(BASE, ema=0.8, hardest=0.7),
    "muon": replace(
        BASE, dropout=0.0, label_smoothing=0.1, validation=0.13, keep="best",
        optimizer=OptimizerConfig(name="muon", lr=0.05), augment=AugmentConfig(mixup=0.4, flip="alternating"),
    ),
    "adamw": replace(
        BASE, slices=4, gradients="bf16", validation=0.2, schedule=ScheduleConfig(name="plateau", patience=1),
        optimizer=OptimizerConfig(name="adamw", lr=5e-3, clip_norm=1.0), batch_size=27,
    ),
}  # fmt: skip
FOUR = {"four": replace(BASE, slices=4, batch_size=30)}
HYBRID = replace(
    BASE,
    model="8 M 16 M | pool2 16 12",
    norm="none",
    ema=0.8,
    optimizer=OptimizerConfig(lr=0.05, clip_norm=0.5),
)
HYBRID_OF_FOUR = replace(HYBRID, slices=4, batch_size=24)
STOPPED_IN_AN_EPOCH, STOPPED_AFTER_AN_EPOCH = "in an epoch", "after an epoch"
STEPS = 7
"""Five are an epoch of most recipes."""


class StopsLast(TrainingWatcher):
    """Wants to stop after some steps, and says so on the last rank alone."""

    def __init__(self, steps):
        self.steps = steps

    def stepped(self, state):
        self.steps -= 1

    def wants_to_stop(self):
        return self.steps <= 0 and rank() == rank_count() - 1


class Dies(TrainingWatcher):
    """Ends with an error after the first epoch was saved."""

    def finished_epoch(self, result):
        raise VeryDeepError("killed")


def stop(recipe, folder, kind, **options):
    """Leave the unfinished run of ``recipe`` in ``folder``."""
    watcher = StopsLast(STEPS) if kind == STOPPED_IN_AN_EPOCH else Dies()
    try:
        train_network(recipe, DATA, folder, device="cpu", watcher=watcher, **options)
    except (Interrupted, VeryDeepError):
        return
    raise AssertionError("it did not stop")


def start_runs(recipes, folder):
    """Train by each recipe, and leave unfinished runs of the first one."""
    for name, recipe in recipes.items():
        train_network(recipe, DATA, folder / name, device="cpu")
    for kind in (STOPPED_IN_AN_EPOCH, STOPPED_AFTER_AN_EPOCH):
        stop(next(iter(recipes.values())), folder / kind, kind)


def finish_runs(recipes, folder):
    """Resume the unfinished runs that another number of ranks has left in ``folder``."""
    for kind in (STOPPED_IN_AN_EPOCH, STOPPED_AFTER_AN_EPOCH):
        train_network(next(iter(recipes.values())), DATA, folder / kind, device="cpu")


def hybrid(folder):
    """Train with split layers: a whole run, one that is left unfinished, one that a process has left, and one
    of two slices per rank."""
    train_network(HYBRID, DATA, folder / "whole", device="cpu", parallel="hybrid")
    stop(HYBRID, folder / "left", STOPPED_IN_AN_EPOCH, parallel="hybrid")
    train_network(HYBRID, DATA, folder / "taken", device="cpu", parallel="hybrid")
    train_network(HYBRID_OF_FOUR, DATA, folder / "four", device="cpu", parallel="hybrid")


def refusals(folder):
    """What hybrid parallelism cannot do."""
    recipes = {
        "head": BASE,
        "muon": replace(HYBRID, optimizer=OptimizerConfig(name="muon")),
        "units": replace(HYBRID, model="8 M 16 M | pool2 15 12"),
        "sizes": replace(HYBRID, batch_size=27),
    }

    def train(name):
        return train_network(recipes[name], DATA, folder / name, device="cpu", parallel="hybrid")

    return {name: error_of(partial(train, name)) for name in recipes}


class SentBytes(TorchDispatchMode):
    """Counts what each collective sends from this rank."""

    def __init__(self):
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func.namespace == "c10d":
            others = rank_count() - 1
            if "alltoall" in func.name():
                self.count += args[1].nbytes * others // rank_count()
            elif "allgather" in func.name():
                self.count += sum(tensor.nbytes for tensor in args[1]) * others
            else:
                raise AssertionError(f"{func.name()} is not expected in a step")
        return func(*args, **(kwargs or {}))


def sent(parallel):
    """The bytes that a step of ``HYBRID`` sends from each rank, in fp32."""
    fabric = fabric_on(choose_device("cpu"), "fp32")
    state = initial_state(HYBRID, network("8 M 16 M | pool2 16 12").model, 160, fabric)
    if parallel == "hybrid":
        make_hybrid(state, HYBRID, 160)
        split(state)
    state.part.train()
    images, labels = torch.zeros(13, 1, 16, 16), torch.zeros(13, dtype=torch.int64)
    with (
        backward_in_slices(state.part, 2, functional.cross_entropy, fabric) as backward,
        SentBytes() as sent_bytes,
    ):
        backward(images, labels, BatchPosition(26, seed=0, epoch=0, step=0))
    return sent_bytes.count


class Poisoned(PixelsInMemory):
    """Images that are NaN on the last rank alone."""

    def batches(self, plan, epoch, first_step, share):
        for inputs, labels in super().batches(plan, epoch, first_step, share):
            yield inputs * (torch.nan if share.rank == share.ranks - 1 else 1), labels


def train_poisoned():
    recipe = replace(BASE, batch_size=32)
    fabric = fabric_on(choose_device("cpu"), "fp32")
    state = initial_state(recipe, network().model, len(TRAIN), fabric)
    source = Poisoned(images=TRAIN, preprocess=PREPROCESS, device=fabric.device)
    list(fit(state, recipe, TrainingInputs(source, None), fabric))


def fail_on_first():
    by_first(lambda: Path("/dev/full").write_text("x" * 100_000))


def error_of(action):
    """Its class and its message."""
    try:
        action()
    except (VeryDeepError, OSError) as error:
        return f"{type(error).__name__}: {error}"
    return "none"


def errors(folder):
    """What every rank says of what one of them, or all, cannot do."""
    said = {
        "nan": error_of(train_poisoned),
        "slices": error_of(
            lambda: train_network(replace(BASE, slices=3), DATA, folder / "refused", device="cpu")
        ),
        "disk": error_of(fail_on_first),
        "images": error_of(lambda: require_same({"images": f"{100 - rank()}"})),
        "names": error_of(lambda: train_on_files(folder, rename=True)),
        "unreadable": str(len(train_on_files(folder, rename=False).dataset.test)),
        "packed": train_on_packs(folder).notes[-1],
        **refusals(folder / "refused"),
        "finished": error_of(lambda: train_network(BASE, DATA, folder / "sgd", device="cpu")),
    }
    (folder / f"errors-{rank()}.txt").write_text("".join(f"{key}\t{text}\n" for key, text in said.items()))


def write_images(folder):
    """Write 40 images to train on and 20 to test on; the last file."""
    for number in range(60):
        part = "test" if number % 3 == 2 else "train"
        file = folder / part / "ab"[number % 2] / f"{number:02}.png"
        save(picture(number, 16, 16), file)
    return file


def train_on_files(folder, *, rename):
    """Train on a folder of this rank; in that of the second, an image has another name, or is broken."""
    images = folder / f"images-{rank()}-{rename}"
    file = write_images(images)
    if not is_first():
        file.rename(file.with_name("renamed.png")) if rename else file.write_bytes(b"")
    recipe = replace(BASE, epochs=1, size=16, stream="on")
    return train_network(recipe, str(images), folder / f"run-of-files-{rename}", device="cpu")


class Removes(TrainingWatcher):
    """Removes the pack of this rank once it is open: to other ranks, it lies at a path that is not there."""

    def __init__(self, pack):
        self.pack = pack

    def begins(self, job, state):
        self.pack.unlink()


def train_on_packs(folder):
    """Train on a pack of this rank, in which a training image is damaged."""
    images, pack = folder / f"packed-{rank()}", folder / f"{rank()}.pack"
    write_images(images)
    samples = read_samples(images)
    write_pack(samples, pack, 16)
    with pack.open("r+b") as file:
        file.seek(PIXELS_START + samples.parts.index("train") * 16 * 16 * 3)
        file.write(bytes(16))
    recipe = replace(BASE, epochs=1, batch_size=20, size=16, stream="on")
    return train_network(recipe, str(pack), folder / "run-of-packs", device="cpu", watcher=Removes(pack))


def logits(folder):
    """Of eleven images in batches of three: the number of each, and the rank that has computed it."""

    def compute(plan):
        return (torch.stack([indices.float(), torch.full((len(indices),), rank())], 1) for indices in plan)

    torch.save(logits_by_rank(11, 2, 3, compute), folder / f"logits-{rank()}.pt")


def on_cpu(folder):
    with process_group(choose_device("cpu")):
        recipes = RECIPES if rank_count() == 2 else FOUR
        start_runs(recipes, folder / "started")
        finish_runs(recipes, folder / "left")
        logits(folder)
        if rank_count() == 2:
            errors(folder / "started")
            hybrid(folder / "hybrid")
            torch.save({parallel: sent(parallel) for parallel in ("data", "hybrid")}, folder / "sent.pt")


def on_gpu(folder):
    """Train by each recipe; under torchrun, gradients and decisions go through NCCL and gloo."""
    with process_group(choose_device("cuda")):
        for name, recipe in RECIPES.items():
            train_network(recipe, DATA, folder / name, device="cuda")


def one_after_another(folder):
    """Several trainings of one script: in each, the first rank prepares before the other one."""
    folder.mkdir(exist_ok=True)
    for number in range(3):
        downloaded = folder / f"downloaded-{number}"
        with process_group(choose_device("cpu")):
            with first_of_host():
                if is_first():
                    time.sleep(0.3)
                assert downloaded.exists() != is_first()
                downloaded.touch()
            assert gathered(torch.tensor([rank()])).tolist() == [0, 1]


def alone(number, action):
    """A training in which one rank fails alone, while the other one is at ``action``."""
    with process_group(choose_device("cpu")):
        if rank() == number:
            raise VeryDeepError("alone")
        action()


def after_errors(folder):
    """A script catches errors, wherever the other rank is then, and trains after them."""

    def prepare():
        with first_of_host():
            raise AssertionError("the first rank has not prepared")

    for number, action in (
        (0, prepare), (1, partial(wait_for_all, "prepared")), (1, partial(gathered, torch.zeros(1))),
    ):  # fmt: skip
        said = error_of(partial(alone, number, action))
        stopped = "StoppedByOtherRank: another rank has stopped, and says why"
        assert said == ("VeryDeepError: alone" if torchrun.rank() == number else stopped), said
    train_network(BASE, DATA, folder, device="cpu")


if __name__ == "__main__":
    torch.set_num_threads(1)
    torch.backends.cudnn.deterministic = True
    cases = {"cpu": on_cpu, "cuda": on_gpu, "groups": one_after_another, "errors": after_errors}
    cases[sys.argv[1]](Path(sys.argv[2]))
