"""Nearest neighbors by cosine similarity."""

from pathlib import Path

import numpy as np
import pytest

from verydeep.embed.embedder import Embedder
from verydeep.embed.neighbors import nearest_neighbors
from verydeep.embed.vector_batches import VectorBatch
from verydeep.errors import ShapeError
from verydeep.image_sources.find_images import read_sources


def test_the_length_of_vectors_has_no_effect():
    vectors = np.array([[3, 0], [0, 9], [1, 1], [-2, 0]], np.float32)
    files = ("same", "orthogonal", "half", "opposite")
    neighbors = nearest_neighbors(np.array([2, 0], np.float32), [VectorBatch(files, vectors)], 4)
    assert [neighbor.file for neighbor in neighbors] == ["same", "half", "orthogonal", "opposite"]
    assert [neighbor.similarity for neighbor in neighbors] == pytest.approx([1, 0.5**0.5, 0, -1])


def test_images_of_the_same_color_are_nearest_neighbors(checkpoint, folder):
    files, embedder = read_sources([folder]), Embedder(checkpoint)
    for file in (folder / "red" / "1.png", folder / "blue" / "3.png"):
        (batch,) = embedder([file])
        query = batch.vectors[0]
        neighbors = nearest_neighbors(query, embedder(files, 4), 3, exclude=file)
        assert {Path(neighbor.file).parent.name for neighbor in neighbors} == {file.parent.name}
        assert str(file) not in [neighbor.file for neighbor in neighbors]


def test_the_most_similar_of_all_batches_are_returned():
    vectors = np.random.default_rng(0).standard_normal((50, 4), np.float32)
    files = tuple(str(number) for number in range(50))
    batches = [VectorBatch(files[i : i + 7], vectors[i : i + 7]) for i in range(0, 50, 7)]
    neighbors = nearest_neighbors(vectors[3], [*batches, VectorBatch((), np.zeros((0, 0), np.float32))], 5)
    lengths = np.linalg.norm(vectors, axis=1)
    expected = vectors @ vectors[3] / (lengths * lengths[3])
    assert [int(neighbor.file) for neighbor in neighbors] == expected.argsort()[::-1][:5].tolist()


def test_vectors_of_another_length_are_rejected():
    with pytest.raises(ShapeError, match="the vectors have 3 values, the vector of the image has 2"):
        nearest_neighbors(np.ones(2, np.float32), [VectorBatch(("a",), np.ones((1, 3), np.float32))], 1)
