"""Vectors are the layer's own values, stored and read back whole."""

import dataclasses

import numpy as np
import pytest
import torch

from verydeep.data.decode import decode
from verydeep.data.image_files import image_files
from verydeep.data.normalize import normalize
from verydeep.embed.embedder import Embedder, VectorBatch
from verydeep.embed.vector_file import About, read_vectors, write_vectors
from verydeep.errors import ArchitectureError, DataError
from verydeep.models.feature_extractor import taps

ABOUT = About(network="tiny", layer="conv2_1", unit_length=False)


@pytest.fixture(params=[".npz", ".parquet"])
def suffix(request):
    if request.param == ".parquet":
        pytest.importorskip("pyarrow", reason="needs the extra `parquet`")
    return request.param


def images_of(files, network):
    return normalize(torch.stack([decode(file, network.preprocess) for file in files]), network.preprocess)


def test_a_map_is_averaged_and_a_broken_file_named(network, folder):
    (batch,) = Embedder(network, "conv2_1")(image_files([folder]))
    assert len(batch.files) == 12 and [one.source.name for one in batch.broken] == ["broken.png"]
    assert "broken.png" in batch.broken[0].reason
    maps = taps(network.model, "conv2_1")(images_of(batch.files, network))["conv2_1"]
    torch.testing.assert_close(batch.vectors, maps.detach().mean((2, 3)))


def test_a_hidden_layer_is_taken_as_it_is(network, folder):
    (batch,) = Embedder(network, "fc3", unit_length=True)(image_files([folder / "green"]))
    values = taps(network.model, "fc3")(images_of(batch.files, network))["fc3"].detach()
    torch.testing.assert_close(batch.vectors, values / values.norm(dim=1, keepdim=True))


def test_the_last_map_is_the_default(network):
    assert Embedder(network).layer == "relu2_1"
    with pytest.raises(ArchitectureError, match="tiny has no layer 'pool5'"):
        Embedder(network, "pool5")


def test_batches_cover_all_files_in_order(network, folder):
    files = image_files([folder / "blue", folder / "green"])
    batches = list(Embedder(network)(files, 3))
    assert [len(batch.files) for batch in batches] == [3, 3, 2]
    assert [file for batch in batches for file in batch.files] == files


def test_what_is_written_comes_back(network, folder, tmp_path, suffix):
    files = image_files([folder])
    path = tmp_path / f"vectors{suffix}"
    embedder = Embedder(network, "conv2_1")
    written = write_vectors(embedder(files, 5), ABOUT, path)
    assert (written.vectors, written.dimensions) == (12, 24)
    assert [one.source.name for one in written.broken] == ["broken.png"]
    held, (whole,) = read_vectors(path), embedder(files)
    assert (held.files, held.about) == (whole.files, ABOUT)
    torch.testing.assert_close(held.vectors, whole.vectors)
    assert [file.name for file in tmp_path.iterdir() if file.is_file()] == [path.name]


def test_any_numpy_reads_it_without_pickle(network, folder, tmp_path):
    write_vectors(Embedder(network)(image_files([folder])), ABOUT, tmp_path / "vectors.npz")
    with np.load(tmp_path / "vectors.npz", allow_pickle=False) as opened:
        assert opened["vectors"].shape == (12, 24) and opened["vectors"].dtype == np.float32
        assert opened["files"][0].endswith("blue/0.png")


def test_many_batches_make_few_row_groups(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra `parquet`")
    one = VectorBatch((tmp_path / "ä.png",) * 100, torch.rand(100, 3))
    write_vectors([one] * 25, ABOUT, tmp_path / "vectors.parquet")
    opened = parquet.ParquetFile(tmp_path / "vectors.parquet")
    assert opened.metadata.num_rows == 2500 and opened.metadata.num_row_groups == 3
    assert opened.schema_arrow.names == ["file", "vector"]


def test_nothing_to_write_is_an_error_and_leaves_no_file(network, folder, tmp_path):
    broken = Embedder(network)([folder / "red" / "broken.png"])
    with pytest.raises(DataError, match=r"none of 1 files could be read, such as .*broken\.png"):
        write_vectors(broken, ABOUT, tmp_path / "vectors.npz")
    assert not (tmp_path / "vectors.npz").exists()


def test_another_suffix_is_refused_before_anything_is_computed(tmp_path):
    def never():
        raise AssertionError
        yield

    with pytest.raises(DataError, match=r"vectors.csv is neither .npz nor .parquet"):
        write_vectors(never(), ABOUT, tmp_path / "vectors.csv")


def test_foreign_files_are_refused(tmp_path, suffix):
    path = tmp_path / f"vectors{suffix}"
    with pytest.raises(DataError, match="there is no file of vectors"):
        read_vectors(path)
    path.write_bytes(b"something else")
    with pytest.raises(DataError, match="holds no vectors that `verydeep embed` wrote"):
        read_vectors(path)
    np.savez(tmp_path / "other.npz", vectors=np.zeros((2, 3)))
    with pytest.raises(DataError, match="holds no vectors"):
        read_vectors(tmp_path / "other.npz")


def test_results_are_values():
    with pytest.raises(dataclasses.FrozenInstanceError):
        ABOUT.layer = "pool5"
