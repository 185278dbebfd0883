"""Checksums: a hash or its first digits, an exact or a rounded size."""

import hashlib

import pytest

from verydeep.download.checksum import Checksum

CONTENT = b"weights" * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
MD5 = hashlib.md5(CONTENT).hexdigest()


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(CONTENT)
    return path


@pytest.mark.parametrize(
    "known",
    [
        Checksum(), Checksum(SHA256), Checksum(f"sha256:{SHA256}", 7000), Checksum(f"md5:{MD5}"),
        Checksum(SHA256[:8]), Checksum(SHA256.upper()), Checksum(size=7200, size_tolerance=200),
    ],
)  # fmt: skip
def test_a_file_matches_its_checksum(path, known):
    assert known.mismatch(path) is None


@pytest.mark.parametrize(
    ("known", "message"),
    [
        (Checksum(SHA256, 7), "expected 7 bytes, got 7,000"),
        (Checksum(SHA256[:8], 7300, 200), "expected about 7,300 bytes, got 7,000"),
        (Checksum("md5:00"), f"expected md5 00, got {MD5}"),
        (Checksum("00000000"), f"expected sha256 00000000, got {SHA256}"),
        (Checksum(SHA256[1:9]), f"expected sha256 {SHA256[1:9]}, got {SHA256}"),
    ],
)
def test_a_mismatch_is_described(path, known, message):
    assert known.mismatch(path) == message
