"""``verydeep compress``: step by step to a smaller and faster network, each step accepted by measurement."""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from verydeep.atomic_write import write_text
from verydeep.claim import claim_folder
from verydeep.compress.candidate import Candidate
from verydeep.compress.comparison import compare
from verydeep.compress.compression import Compression, OnCandidate, OnLine, refuse
from verydeep.compress.image_part import ImagePart
from verydeep.compress.images import CompressionImages
from verydeep.compress.journal import COMPACT, MODEL, RESULT, Journal
from verydeep.compress.judge import logits_of
from verydeep.compress.layer_inputs import weighted_layers
from verydeep.compress.origin import is_balanced, origin_of
from verydeep.compress.result import CompressResult, TestResult
from verydeep.compress.settings import TRAINED, CompressSettings
from verydeep.compress.steps.fold import fold
from verydeep.compress.steps.quantize import BITS
from verydeep.compress.try_bits import try_bits
from verydeep.compress.try_contenders import try_contenders
from verydeep.compress.try_widths import try_widths
from verydeep.data.image_split import ImageSplit
from verydeep.data.split_file import SPLIT_FILE
from verydeep.errors import CompressionError
from verydeep.evaluate.metrics import accuracy, balanced_accuracy
from verydeep.evaluate.paired_difference import paired_difference
from verydeep.models.checkpoint import Checkpoint
from verydeep.weight_files.checkpoint_file import checkpoint_bytes, compact_bytes, save
from verydeep.weight_files.tensor_checksum import tensor_checksum


def compress_network(
    network: Checkpoint,
    images: CompressionImages,
    settings: CompressSettings,
    out: Path,
    *,
    on_candidate: OnCandidate = lambda candidate: None,
    on_line: OnLine = lambda line: None,
    report: Callable[[CompressResult], None] = lambda result: None,
) -> CompressResult:
    """Compress ``network`` into the run folder ``out``: a checkpoint, and what was tried as JSON.

    Where it was stopped, the same call continues with what is not measured yet.

    Args:
        network: the original, in evaluation mode.
        images: those that calibrate, those that decide, and the test images.
        settings: the limit, the steps, and how latency is measured.
        out: a folder that is new, empty, or has an unfinished compression of the same.
        on_candidate: called with each candidate once it is measured.
        on_line: called with what else there is to say.
        report: called with the result before the compression counts as finished.

    Raises:
        CompressionError: where ``out`` has other files, a step cannot change the network, or the limit cannot
            be met, with how near it came.
        InUseError: where another process writes to ``out``.
    """
    began = time.perf_counter()
    with claim_folder(out):
        journal = Journal(out, _start(network, images, settings))
        earlier = journal.seconds()
        if len(journal):
            on_line(f"continuing after {len(journal)} networks that were measured before")
        state = Compression(network, images, settings, journal, on_candidate, on_line)
        try:
            _take_steps(state)
            test = _tested(network, state.network, images)
            compressed = _finished(state, test)
        except CompressionError:
            journal.remove()  # another try needs another limit, or other latencies
            raise
        result = CompressResult(
            run=out,
            source=network,
            network=compressed,
            original=state.candidates[0].measured,
            result=state.kept.measured,
            candidates=tuple(state.candidates),
            comparison=compare(state.judge, compressed),
            test=test,
            balanced=is_balanced(network),
            images=len(images.val),
            settings=settings,
            notes=images.notes,
            seconds=earlier + time.perf_counter() - began,
        )
        _write(result, images.split, is_quantized=state.kept.name == "quantize")
        report(result)
        journal.remove()
    return result


def _start(network: Checkpoint, images: CompressionImages, settings: CompressSettings) -> dict[str, object]:
    """What decides a compression, but for the clock."""
    return {
        "network": tensor_checksum(network.model.state_dict()),
        "settings": settings.values,
        "preprocessing": network.preprocess.to_dict(),
        "classes": network.classes,
        "images": [_checksum(part) for part in (images.train, images.val, images.test) if part is not None],
    }


def _checksum(part: ImagePart) -> str:
    labels = {} if part.labels is None else {"labels": part.labels}
    return tensor_checksum({"pixels": part.pixels, **labels})


def _take_steps(state: Compression) -> None:
    """Each step on what the ones before have left.

    Raises:
        CompressionError: where a step cannot change the network, or nothing meets the limit.
    """
    steps, limit = state.settings.steps, state.settings.limit
    if {"narrow", "quantize"} & set(steps):
        weighted_layers(state.original.model)  # refuses what neither can change
    if set(TRAINED) & set(steps) and not state.settings.budget_s:
        state.on_line("nothing is trained without --budget, such as 10m: distill and scratch are left out")
    if "fold" in steps:
        _fold(state)
    tried = try_widths(state) if "narrow" in steps else []
    if state.settings.trains("scratch"):
        tried += try_contenders(state)
    if tried and not state.has_accepted and not state.reaches_limit:
        if limit.kind != "drop" or "quantize" not in steps:
            refuse(state, tried)
        state.on_line(f"no other architecture meets --drop in {BITS} bits; it stays")
    if "quantize" in steps:
        try_bits(state)
    if not state.has_accepted and limit.excess(state.kept.measured) > 0:
        refuse(state, [state.kept])


def _fold(state: Compression) -> None:
    try:
        result = fold(state.original, state.calibration_of(state.original))
    except CompressionError as error:
        state.on_line(f"fold: {error}")
        return
    if result.checkpoint is state.original:
        state.on_line(f"fold: {result.done}")
        return

    def measured() -> Candidate:
        found = state.measure(result.checkpoint, state.size(result.checkpoint))
        return Candidate("fold", result.checkpoint, found, True, result.done)

    state.kept = state.tried("fold", measured, source=result.checkpoint)


def _tested(before: Checkpoint, after: Checkpoint, images: CompressionImages) -> TestResult | None:
    if images.test is None or images.test.labels is None:
        return None
    labels, balanced = images.test.labels.numpy(), is_balanced(before)
    first, second = (logits_of(each, images.test) for each in (before, after))
    measure = balanced_accuracy if balanced else accuracy
    return TestResult(
        images=len(labels),
        before=measure(first, labels),
        after=measure(second, labels),
        difference=paired_difference(first, second, labels, images.test.groups, balanced=balanced),
        top1=accuracy(second, labels),
    )


def _finished(state: Compression, test: TestResult | None) -> Checkpoint:
    """The network that is kept, with its origin; the size of its file is noted.

    Raises:
        CompressionError: where that is limited, and larger.
    """
    origin = origin_of(state.original, state.settings, state.candidates, state.network, test)
    network = replace(state.network, origin=origin)
    state.set_bytes((compact_bytes if state.kept.name == "quantize" else checkpoint_bytes)(network))
    if state.settings.limit.kind == "bytes" and state.settings.limit.excess(state.kept.measured) > 0:
        refuse(state, [state.kept])
    return network


def _write(result: CompressResult, split: ImageSplit | None, *, is_quantized: bool) -> None:
    """The network, what was tried, and the split of your own images."""
    save(result.network, result.run / MODEL)
    if is_quantized:
        save(result.network, result.run / COMPACT)
    write_text(result.run / RESULT, json.dumps(result.values, indent=2) + "\n")
    if split is not None:
        split.write(result.run / SPLIT_FILE)
