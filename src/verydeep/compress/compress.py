"""``verydeep compress``: step by step to a smaller and faster network, each step accepted by measurement."""

import json
import shutil
import time
from dataclasses import replace
from pathlib import Path

from verydeep.atomic_write import write_text
from verydeep.claim import LOCK, claim_folder
from verydeep.compress.candidate import file_bytes
from verydeep.compress.comparison import compare
from verydeep.compress.images import CompressionImages
from verydeep.compress.progress import Compression, OnCandidate, OnLine, is_balanced, not_met, origin_of
from verydeep.compress.result import CompressResult, TestResult
from verydeep.compress.settings import CompressSettings
from verydeep.data.split_file import SPLIT_FILE
from verydeep.errors import CompressionError
from verydeep.evaluate.metrics import accuracy, balanced_accuracy
from verydeep.evaluate.paired_difference import paired_difference
from verydeep.models.checkpoint import Checkpoint
from verydeep.models.logits import predict_logits
from verydeep.weight_files.checkpoint_file import compact_bytes, save

MODEL, COMPACT = "model.safetensors", "model.vdz"
RESULT = "compress.json"
"""What was tried and measured, as ``--json`` prints it."""


def compress_network(
    network: Checkpoint,
    images: CompressionImages,
    settings: CompressSettings,
    out: Path,
    *,
    split: Path | None = None,
    on_candidate: OnCandidate = lambda candidate: None,
    on_line: OnLine = lambda line: None,
) -> CompressResult:
    """Compress ``network`` into the run folder ``out``: a checkpoint, and what was tried as JSON.

    Args:
        network: the original, in evaluation mode.
        images: those that calibrate, those that decide, and the test images.
        settings: the limit, the steps, and how latency is measured.
        out: a new or empty folder.
        split: the ``split.csv`` of the original's run, to be kept beside the result.
        on_candidate: called with each candidate once it is measured.
        on_line: called with what else there is to say.

    Raises:
        CompressionError: where ``out`` is not empty, a step cannot change the network, or the limit cannot be
            met, with how near it came.
        InUseError: where another process writes to ``out``.
    """
    began = time.perf_counter()
    with claim_folder(out):
        if any(child.name != LOCK for child in out.iterdir()):
            raise CompressionError(f"{out} is not empty. Give another --out")
        state = Compression(network, images, settings, on_candidate, on_line)
        for step in settings.steps:
            state.take(step)
        if state.kept.name in ("original", "fold") and settings.limit.excess(state.kept.measured) > 0:
            raise CompressionError(not_met(settings.limit, [state.kept]))
        test = _tested(network, state.kept.checkpoint, images)
        compressed = replace(state.kept.checkpoint, origin=origin_of(network, state, test))
        is_quantized = state.kept.name == "quantize"
        size = compact_bytes(compressed) if is_quantized else file_bytes(compressed)
        written = replace(state.kept.measured, bytes=size)
        if settings.limit.kind == "bytes" and settings.limit.excess(written) > 0:
            raise CompressionError(not_met(settings.limit, [replace(state.kept, measured=written)]))
        save(compressed, out / MODEL)
        if is_quantized:
            save(compressed, out / COMPACT)
        result = CompressResult(
            run=out,
            network=compressed,
            original=state.candidates[0].measured,
            result=written,
            candidates=tuple(state.candidates),
            comparison=compare(state.bench, compressed),
            test=test,
            balanced=is_balanced(network),
            images=len(images.val),
            settings=settings,
            notes=images.notes,
            seconds=time.perf_counter() - began,
        )
        write_text(out / RESULT, json.dumps(result.values, indent=2) + "\n")
        if split is not None:
            shutil.copyfile(split, out / SPLIT_FILE)
    return result


def _tested(before: Checkpoint, after: Checkpoint, images: CompressionImages) -> TestResult | None:
    if images.test is None or images.test.labels is None:
        return None
    labels, balanced = images.test.labels.numpy(), is_balanced(before)
    first, second = (
        predict_logits(each.model, images.test.pixels, each.preprocess).numpy() for each in (before, after)
    )
    measure = balanced_accuracy if balanced else accuracy
    return TestResult(
        images=len(labels),
        before=measure(first, labels),
        after=measure(second, labels),
        difference=paired_difference(first, second, labels, images.test.groups, balanced=balanced),
        top1=accuracy(second, labels),
    )
