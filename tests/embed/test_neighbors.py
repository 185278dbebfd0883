"""Neighbors are found by the cosine of the angle between vectors."""

from pathlib import Path

import pytest
import torch

from verydeep.data.image_files import image_files
from verydeep.embed.embedder import Embedder, VectorBatch
from verydeep.embed.neighbors import nearest
from verydeep.errors import ShapeError


def test_by_angle_and_not_by_length():
    vectors = torch.tensor([[3.0, 0], [0, 9], [1, 1], [-2, 0]])
    files = tuple(map(Path, ("same", "right", "half", "away")))
    found = nearest(torch.tensor([2.0, 0]), [VectorBatch(files, vectors)], 4)
    assert [str(one.file) for one in found] == ["same", "half", "right", "away"]
    assert [one.similarity for one in found] == pytest.approx([1, 0.5**0.5, 0, -1])


def test_images_of_the_same_color_are_nearest(network, folder):
    files, embedder = image_files([folder]), Embedder(network)
    for file in (folder / "red" / "1.png", folder / "blue" / "3.png"):
        (alone,) = embedder([file])
        query = alone.vectors[0]
        found = nearest(query, embedder(files, 4), 3, leave_out=file)
        assert {one.file.parent.name for one in found} == {file.parent.name}
        assert file not in [one.file for one in found]


def test_the_most_similar_of_all_batches_are_kept():
    torch.manual_seed(0)
    vectors = torch.randn(50, 4)
    files = tuple(Path(str(number)) for number in range(50))
    batches = [VectorBatch(files[i : i + 7], vectors[i : i + 7]) for i in range(0, 50, 7)]
    found = nearest(vectors[3], [*batches, VectorBatch((), torch.zeros(0, 0))], 5)
    expected = torch.nn.functional.cosine_similarity(vectors, vectors[3:4]).topk(5)
    assert [int(str(one.file)) for one in found] == expected.indices.tolist()


def test_vectors_of_another_layer_are_refused():
    with pytest.raises(ShapeError, match="the vectors have 3 values, that of the image 2"):
        nearest(torch.ones(2), [VectorBatch((Path("a"),), torch.ones(1, 3))], 1)
