"""The published file formats, read from small files created here: their values, and the errors."""

import gzip
import io
import tarfile

import numpy as np
import pytest
import torch

from verydeep.data.idx_cifar import read_cifar10, read_cifar100, read_fashion_mnist, read_idx
from verydeep.errors import DataError

RANDOM = np.random.default_rng(0)


def idx(array: np.ndarray) -> bytes:
    header = bytes([0, 0, 8, array.ndim]) + b"".join(side.to_bytes(4, "big") for side in array.shape)
    return header + array.astype(np.uint8).tobytes()


def write(path, content):
    path.write_bytes(gzip.compress(content))
    return path


def test_an_idx_file_is_read_as_its_array(tmp_path):
    array = RANDOM.integers(0, 256, (3, 4, 5))
    assert read_idx(write(tmp_path / "a.gz", idx(array))).tolist() == array.tolist()


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "an idx file of bytes, which starts with 00 00 08"),
        (b"\x89PNG and more", "starts with 89 50 4e 47"),
        (b"\0\0\x0d\1\0\0\0\1abcd", "starts with 00 00 0d 01"),
        (idx(np.zeros((2, 3)))[:-1], "has 5 values; its header states 2 x 3 = 6"),
        (idx(np.zeros((2, 3))) + b"x", "has 7 values"),
        (b"\0\0\x08\3\0\0\0\1", "ends within its header"),
    ],
)
def test_a_file_that_is_not_an_idx_file_is_an_error(tmp_path, content, words):
    with pytest.raises(DataError, match=words):
        read_idx(write(tmp_path / "a.gz", content))


@pytest.mark.parametrize(
    "corrupt", [lambda packed: packed[:-20], lambda packed: b"x" + packed, lambda packed: b""]
)
def test_an_incomplete_gzip_file_is_an_error(tmp_path, corrupt):
    path = tmp_path / "a.gz"
    path.write_bytes(corrupt(gzip.compress(idx(RANDOM.integers(0, 256, (30, 30))))))
    with pytest.raises(DataError, match=r"a.gz is not a complete gzip file|a.gz starts with"):
        read_idx(path)


def test_fashion_mnist_is_four_idx_files(tmp_path):
    pixels, labels = RANDOM.integers(0, 256, (6, 28, 28)), np.array([9, 0, 3, 1, 2, 9])
    for part, count in (("train", 6), ("t10k", 2)):
        write(tmp_path / f"{part}-images-idx3-ubyte.gz", idx(pixels[:count]))
        write(tmp_path / f"{part}-labels-idx1-ubyte.gz", idx(labels[:count]))
    data = read_fashion_mnist(tmp_path)
    assert data.train.pixels[:, 0].tolist() == pixels.tolist()
    assert data.test.labels.tolist() == [9, 0]
    assert (data.classes[0], data.classes[9], len(data.classes)) == ("T-shirt/top", "Ankle boot", 10)


def test_fashion_mnist_with_images_for_labels_is_an_error(tmp_path):
    for part in ("train", "t10k"):
        for kind in ("images-idx3", "labels-idx1"):
            write(tmp_path / f"{part}-{kind}-ubyte.gz", idx(np.zeros((2, 2, 2))))
    with pytest.raises(DataError, match=r"train-labels-idx1-ubyte.gz has 3 dimensions; expected 1"):
        read_fashion_mnist(tmp_path)


def archive(path, members):
    with tarfile.open(path, "w:gz") as file:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            file.addfile(entry, io.BytesIO(content))


def record(*labels: int, pixels: np.ndarray) -> bytes:
    return bytes(labels) + pixels.astype(np.uint8).tobytes()


PIXELS = RANDOM.integers(0, 256, (6, 3, 32, 32))


def cifar10(test_batch):
    batches = {
        f"data_batch_{number}.bin": record(number - 1, pixels=PIXELS[number]) for number in range(1, 6)
    }
    members = batches | {
        "batches.meta.txt": b"airplane\nbird\ncat\ndeer\ndog\n\n",
        "test_batch.bin": test_batch,
    }
    return {f"cifar-10-batches-bin/{name}": content for name, content in members.items()}


def test_cifar10_is_five_batches_and_a_test_batch(tmp_path):
    archive(tmp_path / "cifar-10-binary.tar.gz", cifar10(record(4, pixels=PIXELS[0])))
    data = read_cifar10(tmp_path)
    assert data.classes == ("airplane", "bird", "cat", "deer", "dog")
    assert data.train.labels.tolist() == [0, 1, 2, 3, 4] and data.test.labels.tolist() == [4]
    assert data.train.pixels.equal(torch.from_numpy(PIXELS[1:].astype(np.uint8)))
    assert data.test.pixels[0].tolist() == PIXELS[0].tolist()


def test_cifar100_has_the_fine_labels(tmp_path):
    members = {
        "fine_label_names.txt": b"apple\naquarium_fish\nbaby\n",
        "coarse_label_names.txt": b"fish\nfruit\n",
        "train.bin": record(1, 0, pixels=PIXELS[0]) + record(0, 1, pixels=PIXELS[1]),
        "test.bin": record(0, 2, pixels=PIXELS[2]),
    }
    archive(
        tmp_path / "cifar-100-binary.tar.gz",
        {f"cifar-100-binary/{name}": content for name, content in members.items()},
    )
    data = read_cifar100(tmp_path)
    assert data.classes == ("apple", "aquarium_fish", "baby")
    assert data.train.labels.tolist() == [0, 1] and data.test.labels.tolist() == [2]
    assert data.train.pixels[1].tolist() == PIXELS[1].tolist()


@pytest.mark.parametrize(
    ("test_batch", "words"),
    [(b"x" * 3072, "3,072 bytes of records; expected a multiple of 3,073"), (b"", "0 bytes of records")],
)
def test_records_of_another_length_are_an_error(tmp_path, test_batch, words):
    archive(tmp_path / "cifar-10-binary.tar.gz", cifar10(test_batch))
    with pytest.raises(DataError, match=words):
        read_cifar10(tmp_path)


def test_a_label_without_a_class_is_an_error(tmp_path):
    archive(tmp_path / "cifar-10-binary.tar.gz", cifar10(record(5, pixels=PIXELS[0])))
    with pytest.raises(DataError, match="expected 0 to 4 for 5 classes"):
        read_cifar10(tmp_path)


def test_an_archive_without_cifar_is_an_error(tmp_path):
    archive(tmp_path / "cifar-10-binary.tar.gz", {"cifar-10-batches-py/batches.meta": b""})
    with pytest.raises(DataError, match=r"has no batches.meta.txt; it has no CIFAR files"):
        read_cifar10(tmp_path)


def test_a_truncated_archive_is_an_error(tmp_path):
    path = tmp_path / "cifar-10-binary.tar.gz"
    archive(path, cifar10(record(4, pixels=PIXELS[0])))
    path.write_bytes(path.read_bytes()[:-3000])
    with pytest.raises(DataError, match=r"is not a complete tar.gz archive"):
        read_cifar10(tmp_path)
