"""Similar images are found in folders, lists, shards and stored vectors."""

import tarfile
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from verydeep.embed.embedder import Embedder
from verydeep.embed.similar_images import find_similar, sources_of
from verydeep.embed.vector_batches import VectorBatch
from verydeep.embed.vector_file import write_vectors
from verydeep.errors import DataError
from verydeep.image_sources.find_images import read_sources
from verydeep.rows import computed


@pytest.fixture
def shard(folder, tmp_path):
    """A shard with all images but the broken one; its members have paths as `tar` writes them."""
    path = tmp_path / "colors.tar"
    with tarfile.open(path, "w") as archive:
        for file in read_sources([folder]):
            if file.stem != "broken":
                archive.add(file, f"./{file.parent.name}-{file.name}")
    return path


def names(result):
    return [Path(neighbor.file).name for neighbor in result.neighbors]


def test_a_shard_has_the_same_neighbors_as_its_files(checkpoint, folder, shard):
    query = folder / "red" / "1.png"
    files, entries = (find_similar(checkpoint, str(images), query, 4) for images in (folder, shard))
    assert {Path(neighbor.file).parent.name for neighbor in files.neighbors[:3]} == {"red"}
    assert names(entries)[0] == "red-1.png" and entries.neighbors[0].similarity == pytest.approx(1)
    assert [image.source.name for image in files.broken] == ["broken.png"] and not entries.broken
    assert list(map(str, entries.sources)) == [neighbor.file for neighbor in entries.neighbors]


def test_stored_vectors_have_the_same_neighbors_and_their_images_are_found(
    checkpoint, folder, shard, tmp_path
):
    query, vectors = folder / "blue" / "2.png", tmp_path / "vectors.npz"
    embedder = Embedder(checkpoint)
    write_vectors(embedder(read_sources([shard, folder / "green"])), embedder.metadata, vectors)
    stored = find_similar(checkpoint, str(vectors), query, 9)
    assert [name.split("-")[0] for name in names(stored)[:4]] == ["blue"] * 4
    for neighbor, source in zip(stored.neighbors, stored.sources, strict=True):
        assert str(source) == neighbor.file
        assert (source.read_bytes() if isinstance(source, Path) else source.read()).startswith(b"\x89PNG")
    assert {type(source) for source in stored.sources} != {type(query)}


def test_the_images_of_a_few_neighbors_are_found_in_little_memory():
    known = computed(lambda index: Path(f"photos/{index:06}.png"), 20_000)
    files = [str(known[index]) for index in (17_000, 3)]
    tracemalloc.start()
    try:
        assert list(sources_of(files, known)) == [known[17_000], known[3]]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 200_000  # 10 bytes for each of them


def test_stored_vectors_of_another_layer_are_rejected(checkpoint, folder, tmp_path):
    embedder = Embedder(checkpoint, "conv1_1")
    images = read_sources([folder / "red" / "0.png"])
    write_vectors(embedder(images), embedder.metadata, tmp_path / "v.npz")
    with pytest.raises(DataError, match=r"holds vectors of tiny, conv1_1; expected tiny, relu2_1"):
        find_similar(checkpoint, str(tmp_path / "v.npz"), folder / "red" / "0.png", layer="relu2_1")


def test_stored_vectors_of_other_weights_are_rejected(checkpoint, folder, tmp_path):
    query = folder / "red" / "0.png"
    metadata = replace(Embedder(checkpoint).metadata, weights="xxh3-128:0")
    batch = VectorBatch((str(query),), np.ones((1, 24), np.float32))
    write_vectors([batch], metadata, tmp_path / "v.npz")
    with pytest.raises(DataError, match="holds vectors of a tiny with other weights"):
        find_similar(checkpoint, str(tmp_path / "v.npz"), query)
    write_vectors([batch], replace(metadata, weights=""), tmp_path / "old.npz")  # of an earlier version
    assert len(find_similar(checkpoint, str(tmp_path / "old.npz"), folder / "red" / "1.png").neighbors) == 1


def test_a_query_that_cannot_be_read_is_reported(checkpoint, folder):
    with pytest.raises(DataError, match=r"broken\.png"):
        find_similar(checkpoint, str(folder), folder / "red" / "broken.png")
