"""A cache folder with something of each kind, and a file of its user."""

import pytest

NETWORK = "vgg16-96-0123456789abcdef0123456789abcdef"
CHUNK = f"{'ab' * 16}.safetensors"


@pytest.fixture
def root(tmp_path):
    """The cache folder."""
    root = tmp_path / "cache"
    for path, size in {
        "data/cifar10/cifar-10-binary.tar.gz": 3000,
        "data/cifar10/.lock": 0,
        "data/cifar10/notes.txt": 7,
        "data/fashion-mnist/train-images-idx3-ubyte.gz.part": 50,
        "data/mine/cifar-10-binary.tar.gz": 11,
        "weights/vgg16.imagenet1k_v1/vgg16-397923af.pth": 2000,
        "weights/vgg16.imagenet1k_v1/vgg16-397923af.pth.checked": 100,
        f"features/{NETWORK}/{CHUNK}": 500,
        f"features/{NETWORK}/.1f.lock": 0,
        f"features/{NETWORK}/.{CHUNK}.0123abcd.part/{CHUNK}": 40,
        "features/mine/ab.safetensors": 5,
        "todo.txt": 3,
    }.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(bytes(size))
    return root
