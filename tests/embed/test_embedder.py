"""Feature extraction: vectors are the values of the layer, and files preserve them."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from verydeep.data.decode import decode
from verydeep.data.normalize import normalize
from verydeep.embed.embedder import Embedder
from verydeep.embed.vector_batches import VectorBatch, VectorMetadata
from verydeep.embed.vector_file import is_vector_file, read_vectors, write_vectors
from verydeep.errors import ArchitectureError, DataError
from verydeep.image_sources.find_images import read_sources
from verydeep.models.feature_extractor import taps

METADATA = VectorMetadata(network="tiny", layer="conv2_1", unit_length=False)


@pytest.fixture(params=[".npz", ".parquet"])
def suffix(request):
    if request.param == ".parquet":
        pytest.importorskip("pyarrow", reason="needs the extra `parquet`")
    return request.param


def preprocess(files, checkpoint):
    files = map(Path, files)
    return normalize(
        torch.stack([decode(file, checkpoint.preprocess) for file in files]), checkpoint.preprocess
    )


def test_a_map_is_averaged_and_a_broken_file_reported(checkpoint, folder):
    (batch,) = Embedder(checkpoint, "conv2_1")(read_sources([folder]))
    assert len(batch.files) == 12 and [image.source.name for image in batch.broken] == ["broken.png"]
    assert "broken.png" in batch.broken[0].reason
    maps = taps(checkpoint.model, "conv2_1")(preprocess(batch.files, checkpoint))["conv2_1"]
    np.testing.assert_allclose(batch.vectors, maps.detach().mean((2, 3)), rtol=1e-5, atol=1e-6)


def test_a_hidden_layer_is_not_averaged(checkpoint, folder):
    (batch,) = Embedder(checkpoint, "fc3", unit_length=True)(read_sources([folder / "green"]))
    values = taps(checkpoint.model, "fc3")(preprocess(batch.files, checkpoint))["fc3"].detach()
    np.testing.assert_allclose(batch.vectors, values / values.norm(dim=1, keepdim=True), rtol=1e-5, atol=1e-6)


def test_the_last_map_is_the_default(checkpoint):
    assert Embedder(checkpoint).layer == "relu2_1"
    with pytest.raises(ArchitectureError, match="tiny has no layer 'pool5'"):
        Embedder(checkpoint, "pool5")


def test_batches_cover_all_files_in_order(checkpoint, folder):
    files = read_sources([folder / "blue", folder / "green"])
    batches = list(Embedder(checkpoint)(files, 3))
    assert [len(batch.files) for batch in batches] == [3, 3, 2]
    assert [file for batch in batches for file in batch.files] == list(map(str, files))


def test_files_preserve_the_vectors(checkpoint, folder, tmp_path, suffix):
    files = read_sources([folder])
    path = tmp_path / f"vectors{suffix}"
    embedder = Embedder(checkpoint, "conv2_1")
    written = write_vectors(embedder(files, 5), METADATA, path)
    assert (written.vectors, written.dimensions) == (12, 24)
    assert [image.source.name for image in written.broken] == ["broken.png"]
    assert is_vector_file(path)
    stored, (batch,) = read_vectors(path), embedder(files)
    assert (stored.files, stored.metadata) == (batch.files, METADATA)
    np.testing.assert_allclose(stored.vectors, batch.vectors, rtol=1e-5, atol=1e-6)
    assert [file.name for file in tmp_path.iterdir() if file.is_file()] == [path.name]


def test_numpy_reads_it_without_pickle(checkpoint, folder, tmp_path):
    write_vectors(Embedder(checkpoint)(read_sources([folder])), METADATA, tmp_path / "vectors.npz")
    with np.load(tmp_path / "vectors.npz", allow_pickle=False) as opened:
        assert opened["vectors"].shape == (12, 24) and opened["vectors"].dtype == np.float32
        assert opened["files"][0].endswith("blue/0.png")


def test_many_batches_make_few_row_groups(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra `parquet`")
    batch = VectorBatch(("ä.png",) * 100, np.random.default_rng(0).random((100, 3), np.float32))
    write_vectors([batch] * 25, METADATA, tmp_path / "vectors.parquet")
    opened = parquet.ParquetFile(tmp_path / "vectors.parquet")
    assert opened.metadata.num_rows == 2500 and opened.metadata.num_row_groups == 3
    assert opened.schema_arrow.names == ["file", "vector"]


def test_no_vectors_is_an_error_and_leaves_no_file(checkpoint, folder, tmp_path):
    broken = Embedder(checkpoint)([folder / "red" / "broken.png"])
    with pytest.raises(DataError, match=r"none of 1 images can be read, such as .*broken\.png"):
        write_vectors(broken, METADATA, tmp_path / "vectors.npz")
    assert not (tmp_path / "vectors.npz").exists()


def test_another_suffix_is_rejected_before_anything_is_computed(tmp_path):
    def never():
        raise AssertionError
        yield

    with pytest.raises(DataError, match=r"vectors.csv is neither .npz nor .parquet"):
        write_vectors(never(), METADATA, tmp_path / "vectors.csv")


def test_other_files_are_rejected(tmp_path, suffix):
    path = tmp_path / f"vectors{suffix}"
    with pytest.raises(DataError, match="there is no file of vectors"):
        read_vectors(path)
    path.write_bytes(b"something else")
    with pytest.raises(DataError, match="was not written by `verydeep embed`"):
        read_vectors(path)
    np.savez(tmp_path / "other.npz", vectors=np.zeros((2, 3)))
    with pytest.raises(DataError, match="was not written by"):
        read_vectors(tmp_path / "other.npz")


def test_a_table_of_images_is_not_a_file_of_vectors(tmp_path):
    pyarrow = pytest.importorskip("pyarrow", reason="needs the extra `parquet`")
    parquet = pytest.importorskip("pyarrow.parquet")
    parquet.write_table(pyarrow.table({"file": ["a.png"]}), tmp_path / "list.parquet")
    assert not is_vector_file(tmp_path / "list.parquet")
    assert not is_vector_file(tmp_path / "missing.parquet")
    assert is_vector_file(tmp_path / "missing.npz")


def test_metadata_is_immutable():
    with pytest.raises(dataclasses.FrozenInstanceError):
        METADATA.layer = "pool5"


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_precision_of_the_features_is_in_the_metadata(checkpoint, folder, precision):
    exact = Embedder(checkpoint)
    embedder = Embedder(checkpoint, precision=precision)
    assert embedder.metadata.precision == precision
    files = read_sources([folder / "green"])
    (batch,), (like,) = embedder(files), exact(files)
    assert batch.vectors.dtype == np.float32
    assert np.array_equal(batch.vectors, like.vectors) == (precision == "fp32")
    np.testing.assert_allclose(batch.vectors, like.vectors, rtol=0.05, atol=0.02)
