"""One training from its first step to its last, saved as it goes: the job of `train`, a step of `tune`."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from math import inf
from pathlib import Path

import torch
from lightning_fabric import Fabric

from verydeep.architecture.preprocess import Preprocess
from verydeep.check.check import check_unreadable
from verydeep.data.images import Images
from verydeep.data.images_on_disk import ImagesOnDisk
from verydeep.errors import CheckpointError, Interrupted, LearningError
from verydeep.image_sources.image_source import UnreadableImage
from verydeep.inputs.batch_source import BatchSource, TrainingInputs
from verydeep.inputs.decoding_processes import decoding_processes
from verydeep.inputs.frozen_features import MEMORY_LIMIT, Computed, frozen_features
from verydeep.inputs.image_batches import batch_source
from verydeep.inputs.pixels_in_memory import on_device_if_it_fits
from verydeep.machine import Parallel, WantedPrecision
from verydeep.models.checkpoint import Checkpoint
from verydeep.models.stages import split_at_stage
from verydeep.train.device import choose_precision
from verydeep.train.divergence import FLAGS_OF_TRAIN, Flags, likely_fixes
from verydeep.train.epoch_result import EpochResult
from verydeep.train.loop import fit
from verydeep.train.parallel.collectives import agreed, by_first, merged, require_same, take_buffers_of_first
from verydeep.train.parallel.hybrid import join, make_hybrid
from verydeep.train.parallel.ranks import rank_count, share_of_rank
from verydeep.train.parallel.same_images import images_text
from verydeep.train.recipe import Recipe, to_toml
from verydeep.train.run_folder import read_metrics, write_metrics
from verydeep.train.state import TrainingState, initial_state
from verydeep.train.state_file import StateWriter, load_state, state_writer
from verydeep.weight_files.tensor_checksum import tensor_checksum


def fabric_on(device: torch.device, wanted: WantedPrecision = "auto") -> Fabric:
    """Lightning Fabric on this device, in the precision that suits it; a process group connects several."""
    devices = 1 if device.index is None else [device.index]
    return Fabric(accelerator=device.type, devices=devices, precision=choose_precision(wanted, device))


@dataclass(frozen=True, kw_only=True)
class Job:
    """What one training runs on; nothing of it changes while it runs."""

    name: str
    """For the progress bar: training, fine-tune, scratch."""
    recipe: Recipe
    network: Checkpoint
    """As training starts; the stages that are not frozen are trained in place."""
    train: Images | ImagesOnDisk
    val: Images | ImagesOnDisk | None
    state: Path
    """Where the training state is saved after each epoch and when it is stopped, and resumed from."""
    metrics: Path
    """Where the epochs are written, one JSON object per line."""
    flags: Flags = FLAGS_OF_TRAIN
    """How the command writes the recipe, for advice."""


class TrainingWatcher:
    """What a caller may follow a training by; every method may be left as it is."""

    def has_found(self, lines: tuple[str, ...]) -> None:
        """Your own images were found; lines that say how many, and what was passed over."""

    def begins(self, job: Job, state: TrainingState) -> None:
        """Training is about to begin, or to be resumed."""

    def computed(self, done: int, total: int) -> None:
        """So many feature maps of frozen stages are computed."""

    def stepped(self, state: TrainingState) -> None:
        """A step was made."""

    def finished_epoch(self, result: EpochResult) -> None:
        """An epoch was finished; its state is being saved."""

    def wants_to_stop(self) -> bool:
        """Whether to save and stop now; asked after every step."""
        return False


@dataclass(frozen=True, kw_only=True)
class Trained:
    """A finished training."""

    network: Checkpoint
    """Of the epoch that the recipe keeps."""
    epochs: tuple[EpochResult, ...]
    best_epoch: int | None
    """The epoch that is kept, if chosen on validation images; 0 is the network as training started."""
    seconds: float
    """Data, augmentation and steps, without startup and evaluation."""
    unreadable: str
    """A note on the training images that could not be read; empty where all could."""


def run_training(
    job: Job,
    fabric: Fabric,
    watcher: TrainingWatcher,
    *,
    parallel: Parallel = "data",
    deadline: float = inf,
    least_epochs: int = 0,
    memory_limit: int = MEMORY_LIMIT,
) -> Trained:
    """Train ``job``, from where its state file has stopped if there is one.

    Without a deadline, and on a CPU, a stopped and resumed training ends with the same bits as one that never
    stopped.

    Args:
        job: network, images, recipe, and where the state is saved.
        fabric: device and precision.
        watcher: what follows it.
        parallel: how several ranks share the work; hybrid splits the hidden layers of the head among them.
        deadline: when to end at the latest, by ``time.perf_counter``.
        least_epochs: that are trained whatever the deadline.
        memory_limit: bytes of the feature maps of frozen stages to keep in memory; more go to a temporary
            file.

    Raises:
        LearningError: where training does not learn, with what is likely to help.
        CheckpointError: where what was saved is damaged.
        DataError: where there is no room for the feature maps of frozen stages, or over 5 % of the training
            images cannot be read.
        Interrupted: where ``watcher`` wants to stop; the state is saved.
    """
    share_of_rank(job.recipe.slices)  # which the ranks may not be able to share
    state = initial_state(job.recipe, job.network.model, len(job.train), fabric)
    _resume_if_saved(state, job, fabric)
    if parallel == "hybrid" and rank_count() > 1:
        make_hybrid(state, job.recipe, len(job.train))
    epochs = _saved_epochs(job, state)
    watcher.begins(job, state)
    with ExitStack() as stack:
        writer = stack.enter_context(state_writer(job.state))
        after_step, computed = _stopping(state, watcher, writer)
        inputs = stack.enter_context(training_inputs(
            job.recipe, state, job.network.preprocess, job.train, job.val, fabric,
            computed=computed, memory_limit=memory_limit,
        ))  # fmt: skip
        unreadable = _unreadable_note(job.train)  # with frozen stages, all images have been read
        try:
            for result in fit(state, job.recipe, inputs, fabric, after_step, deadline, least_epochs):
                unreadable = _unreadable_note(job.train)
                epochs.append(result)
                by_first(partial(_save_epoch, job, state, epochs, writer))
                watcher.finished_epoch(result)
            by_first(writer.wait)
        except LearningError as error:
            fixes = likely_fixes(job.network.model.architecture, job.recipe.optimizer.lr, job.flags)
            raise LearningError(f"{error}. {fixes}") from error
    keeps_best = job.recipe.keep == "best"
    kept = state.best_network if keeps_best else state.trained
    take_buffers_of_first(kept)
    return Trained(
        network=replace(job.network, model=kept.eval()),
        epochs=tuple(epochs),
        best_epoch=state.best.epoch if keeps_best and state.best else None,
        seconds=state.seconds,
        unreadable=unreadable,
    )


def _unreadable_note(images: Images | ImagesOnDisk) -> str:
    """A note on the images that the ranks together could not read so far: each rank reads only some of them.

    Raises:
        DataError: where these are over 5 %, naming a few.
    """
    if not isinstance(images, ImagesOnDisk):
        return ""
    # Not their sources: a file of another host, or a pack, may lie elsewhere on this one.
    reasons = merged({index: (each.reason, each.kind) for index, each in images.unreadable.items()})
    unreadable = [UnreadableImage(images.sources[index], *why) for index, why in reasons.items()]
    return check_unreadable(len(images), unreadable, images.location)


def _resume_if_saved(state: TrainingState, job: Job, fabric: Fabric) -> None:
    """Load what was saved, if anything.

    Raises:
        RankError: where the ranks would not all train the same network on the same images.
    """
    is_saved = job.state.exists()
    require_same({"a saved state": "in its run folder" if is_saved else "nowhere"})
    if is_saved:
        load_state(state, job.state)
    if rank_count() > 1:
        weights = {name: tensor.cpu() for name, tensor in state.model.state_dict().items()}
        decoder = job.train.decoder if isinstance(job.train, ImagesOnDisk) else "none"
        require_same({
            "the recipe": to_toml(job.recipe),
            "images": images_text(job.train),
            "the decoder": decoder,
            "weights": tensor_checksum(weights),
            "the precision": str(fabric.strategy.precision.precision),
        })  # fmt: skip


def _save_epoch(job: Job, state: TrainingState, epochs: Sequence[EpochResult], writer: StateWriter) -> None:
    write_metrics(job.metrics, epochs)
    writer.write(state)


def _saved_epochs(job: Job, state: TrainingState) -> list[EpochResult]:
    """The epochs that ``state`` has finished; a later one was not saved, and is trained again."""
    epochs = read_metrics(job.metrics, state.epoch)
    if len(epochs) < state.epoch:
        raise CheckpointError(
            f"{job.metrics} is damaged: it has {len(epochs)} of the {state.epoch} epochs that were trained. "
            "Start over with --new"
        )
    return epochs


def _stopping(
    state: TrainingState, watcher: TrainingWatcher, writer: StateWriter
) -> tuple[Callable[[TrainingState], None], Callable[[int, int], None]]:
    """The callbacks after a step and after a batch of feature maps: they tell the watcher, and may stop."""

    def stop_if_wanted() -> None:
        if agreed(watcher.wants_to_stop()):
            join(state)
            by_first(lambda: _write_now(state, writer))
            raise Interrupted(f"stopped and saved in epoch {state.epoch + 1} of {state.epochs}")

    def after_step(state: TrainingState) -> None:
        watcher.stepped(state)
        stop_if_wanted()

    def computed(done: int, total: int) -> None:
        watcher.computed(done, total)
        stop_if_wanted()

    return after_step, computed


def _write_now(state: TrainingState, writer: StateWriter) -> None:
    writer.write(state)
    writer.wait()


@contextmanager
def training_inputs(
    recipe: Recipe,
    state: TrainingState,
    preprocess: Preprocess,
    train: Images | ImagesOnDisk,
    val: Images | ImagesOnDisk | None,
    fabric: Fabric,
    *,
    computed: Computed = lambda done, total: None,
    memory_limit: int = MEMORY_LIMIT,
) -> Iterator[TrainingInputs]:
    """Pixels in memory or from disk, or, where stages are frozen, their feature maps, computed once.

    Raises:
        DataError: where there is no room for the feature maps.
    """
    frozen, _ = split_at_stage(state.model, len(state.part.stages))
    if len(frozen):
        with frozen_features(
            frozen.eval(),
            train,
            val,
            preprocess,
            fabric,
            flip=recipe.augment.flip,
            seed=recipe.seed,
            computed=computed,
            memory_limit=memory_limit,
        ) as inputs:
            yield inputs
        return

    def source(images: Images | ImagesOnDisk) -> BatchSource:
        augment = recipe.augment if images is train else None
        if isinstance(images, Images):
            images = on_device_if_it_fits(images, fabric.device)
        return batch_source(
            images, preprocess, fabric.device, augment=augment, seed=recipe.seed,
            channels_last=recipe.channels_last, processes=processes,
        )  # fmt: skip

    with decoding_processes(train) as processes:
        yield TrainingInputs(source(train), None if val is None else source(val))
