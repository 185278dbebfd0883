"""Nearest neighbors by cosine similarity."""

from pathlib import Path

import pytest
import torch

from verydeep.embed.embedder import Embedder, VectorBatch
from verydeep.embed.neighbors import nearest_neighbors
from verydeep.errors import ShapeError
from verydeep.image_sources.image_files import image_files


def test_the_length_of_vectors_has_no_effect():
    vectors = torch.tensor([[3.0, 0], [0, 9], [1, 1], [-2, 0]])
    files = ("same", "orthogonal", "half", "opposite")
    neighbors = nearest_neighbors(torch.tensor([2.0, 0]), [VectorBatch(files, vectors)], 4)
    assert [neighbor.file for neighbor in neighbors] == ["same", "half", "orthogonal", "opposite"]
    assert [neighbor.similarity for neighbor in neighbors] == pytest.approx([1, 0.5**0.5, 0, -1])


def test_images_of_the_same_color_are_nearest_neighbors(checkpoint, folder):
    files, embedder = image_files([folder]), Embedder(checkpoint)
    for file in (folder / "red" / "1.png", folder / "blue" / "3.png"):
        (batch,) = embedder([file])
        query = batch.vectors[0]
        neighbors = nearest_neighbors(query, embedder(files, 4), 3, exclude=file)
        assert {Path(neighbor.file).parent.name for neighbor in neighbors} == {file.parent.name}
        assert str(file) not in [neighbor.file for neighbor in neighbors]


def test_the_most_similar_of_all_batches_are_returned():
    torch.manual_seed(0)
    vectors = torch.randn(50, 4)
    files = tuple(str(number) for number in range(50))
    batches = [VectorBatch(files[i : i + 7], vectors[i : i + 7]) for i in range(0, 50, 7)]
    neighbors = nearest_neighbors(vectors[3], [*batches, VectorBatch((), torch.zeros(0, 0))], 5)
    expected = torch.nn.functional.cosine_similarity(vectors, vectors[3:4]).topk(5)
    assert [int(neighbor.file) for neighbor in neighbors] == expected.indices.tolist()


def test_vectors_of_another_length_are_rejected():
    with pytest.raises(ShapeError, match="the vectors have 3 values, the vector of the image has 2"):
        nearest_neighbors(torch.ones(2), [VectorBatch(("a",), torch.ones(1, 3))], 1)
