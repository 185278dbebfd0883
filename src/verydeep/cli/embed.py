"""``verydeep embed``: feature extraction, one vector per image, into a file."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple, Union

from cyclopts import Parameter

from verydeep.cli.load_network import load_network, require_network
from verydeep.embed.embed_to_parts import embed_to_parts
from verydeep.embed.exported_embedder import ExportedEmbedder
from verydeep.embed.vector_batches import BATCH_SIZE, VectorSource
from verydeep.embed.vector_file import check_vector_path, write_vectors
from verydeep.errors import DataError
from verydeep.image_sources.find_images import find_images
from verydeep.image_sources.image_source import ImageSource
from verydeep.machine import Device, WantedPrecision
from verydeep.parts.job import new_job
from verydeep.parts.work import check_parts, is_parts_folder
from verydeep.runtime.exported_network import ExportedNetwork
from verydeep.runtime.extras import RuntimeFlag
from verydeep.terminal.broken_images import print_broken
from verydeep.terminal.checksum_flag import NoVerify
from verydeep.terminal.console import err, out, print_json, print_message
from verydeep.terminal.image_argument import IMAGES_HELP, Location
from verydeep.terminal.output_path import require_new_file
from verydeep.terminal.parts import check_parts_flags, print_parts
from verydeep.terminal.progress import ImageProgress
from verydeep.terminal.reading_lines import print_found

if TYPE_CHECKING:
    from verydeep.models.checkpoint import Checkpoint


def embed(
    run: Annotated[Path, Parameter(name="RUN")],
    images: Annotated[list[Location], Parameter(name="IMAGE", help=IMAGES_HELP)],
    /,
    *,
    layer: str | None = None,
    out_: Annotated[Path, Parameter(name="--out")] = Path("vectors.npz"),
    unit_length: Annotated[bool, Parameter(negative="")] = False,
    precision: WantedPrecision = "auto",
    shard: str | None = None,
    check: Annotated[bool, Parameter(negative="")] = False,
    device: Device = "auto",
    runtime: RuntimeFlag | None = None,
    no_verify: NoVerify = False,
    json: Annotated[bool, Parameter(negative="")] = False,
) -> int:
    """Extract features: write one vector (embedding) per IMAGE, the values of a layer of the network of RUN.

    Broken images are reported and left out; the exit code is then 1, and with a folder as --out only with
    --check.

    Parameters
    ----------
    run
        A run folder, a checkpoint, a weight file with or without a head, or an exported network.
    images
        The images.
    layer
        Such as pool5, relu3_3 or fc7; the last feature map by default. Maps are averaged over positions.
    out_
        The file to write: .npz (numpy reads it without pickle) or .parquet. Or a folder, for very many
        images: one Parquet file per 1,000 images; the same command continues it.
    unit_length
        L2-normalize each vector.
    precision
        That a checkpoint computes in; vectors are in fp32 either way. auto is bf16 where the machine computes
        with it and the vectors of some images agree; with a folder as --out it is fp32, so that all machines
        that share the work do the same.
    shard
        With a folder as --out: the part of the work that this process does, such as 1/4 for the first of
        four. torchrun gives it by itself.
    check
        With a folder as --out: compute nothing, and say whether all parts are there; the exit code is 1 where
        some are missing, or images are broken.
    device
        Where to compute; auto uses a GPU if there is one.
    runtime
        What computes an exported network; by default the usual one for its format. auto is the fastest one
        on this machine, which is timed once.
    no_verify
        Leave out the comparison with the checksum.
    json
        Print one JSON object: out, vectors, dimensions, layer, broken, skipped; with a folder as --out: out,
        images, parts, computed, missing, broken, skipped.
    """
    this_shard = check_parts_flags(out_, shard, check=check)
    is_folder = is_parts_folder(out_)
    if not is_folder:
        check_vector_path(out_)
        require_new_file(out_, "delete it, or name another file with --out")
    require_network(run)
    found = find_images(images)
    print_found(found)
    sources = found.sources
    load = partial(
        load_network, run, device, runtime,
        batch=min(BATCH_SIZE, len(sources)), verify=not no_verify, needs_head=False,
    )  # fmt: skip
    skipped = {"skipped": dict(found.reading.skipped)}
    options = _Options(layer, unit_length, precision)
    if is_folder:
        job = new_job("embed", run, options._asdict(), sources)
        if check:
            parts = check_parts(out_, job)
        else:
            embedder = _embedder(load(), options)
            with ImageProgress(err(), "Embedding") as progress:
                parts = embed_to_parts(embedder, sources, out_, job, this_shard, progress=progress)
        print_json(parts.values | skipped) if json else print_parts(parts)
        return 1 if check and (parts.missing or parts.broken) else 0
    embedder = _embedder(load(), options, sources)
    with ImageProgress(err(), "Embedding") as progress:
        summary = write_vectors(embedder(sources, progress=progress), embedder.metadata, out_)
    if json:
        print_json(summary.values | skipped)
    else:
        print_broken(summary.broken)
        text = f"{summary.vectors:,} vectors of {summary.dimensions:,} values from {summary.layer}"
        out().print(f"{summary.out}: {text}", markup=False, soft_wrap=True)
    return 1 if summary.broken else 0


class _Options(NamedTuple):
    """What decides the vectors."""

    layer: str | None
    unit_length: bool
    precision: WantedPrecision


def _embedder(
    network: Union["Checkpoint", ExportedNetwork],
    options: _Options,
    sample: Sequence[ImageSource] = (),
) -> VectorSource:
    """By ``options``; without a ``sample`` that bf16 can be tried on, auto is fp32."""
    if isinstance(network, ExportedNetwork):
        own = network.bundle.export.precision
        if options.precision not in ("auto", own):
            raise DataError(
                f"{network.bundle.path} was exported in {own}, and computes in that. Leave out --precision, "
                "or give the run that it was exported from"
            )
        return ExportedEmbedder(network, options.layer, unit_length=options.unit_length)
    from verydeep.embed.embedder import Embedder  # torch, which a bundle does without
    from verydeep.embed.feature_precision import choose_feature_precision

    embedder = Embedder(network, options.layer, unit_length=options.unit_length)
    precision, reason = choose_feature_precision(
        options.precision, embedder.features, sample, embedder.preprocess, embedder.device
    )
    if reason:
        print_message(reason)
    return Embedder(network, options.layer, unit_length=options.unit_length, precision=precision)
