"""A stopped compression goes on with what was measured, and decides by the same numbers."""

import json
from dataclasses import replace

import pytest
import torch

from verydeep.compress import compress, compression, latency, try_bits
from verydeep.compress.compress import compress_network
from verydeep.compress.image_part import ImagePart
from verydeep.compress.images import CompressionImages
from verydeep.compress.journal import RESULT, Journal, require_free, start_over
from verydeep.compress.settings import CompressSettings, Limit
from verydeep.errors import CheckpointError, CompressionError

from .networks import calibration, checkpoint

SETTINGS = CompressSettings(limit=Limit(kind="drop", value=60.0))


@pytest.fixture(autouse=True)
def is_quick(monkeypatch):
    """Times decide nothing here."""
    monkeypatch.setattr(latency, "TURNS", 2)
    monkeypatch.setattr(latency, "SECONDS_A_TURN", 0.002)
    monkeypatch.setattr(latency, "LAYER_SECONDS", 0.0)
    monkeypatch.setattr(compression, "SLOWER", 1000.0)


@pytest.fixture(scope="module")
def images():
    train, val = calibration(60).pixels, calibration(40, seed=1).pixels
    labels = torch.arange(40) % 4
    return CompressionImages(
        name="drawn", train=ImagePart(train, None), val=ImagePart(val, labels), test=ImagePart(val, labels)
    )


class Stopped(Exception):
    """In place of a signal."""


def stop_after(count):
    seen = []

    def on_candidate(candidate):
        seen.append(candidate)
        if len(seen) == count:
            raise Stopped

    return on_candidate


@pytest.mark.parametrize("stopped_after", [1, 2, 3])
def test_a_stopped_compression_continues_with_the_numbers_that_were_measured(tmp_path, images, stopped_after):
    network = checkpoint("32 M 48 | gap 32", norm="batch")
    with pytest.raises(Stopped):
        compress_network(network, images, SETTINGS, tmp_path / "out", on_candidate=stop_after(stopped_after))
    kept = json.loads((tmp_path / "out" / "compress-state" / "journal.json").read_text())["entries"]
    assert len(kept) == stopped_after
    lines, candidates = [], []
    result = compress_network(
        network, images, SETTINGS, tmp_path / "out", on_candidate=candidates.append, on_line=lines.append
    )
    assert lines[0] == f"continuing after {stopped_after} networks that were measured before"
    for entry, candidate in zip(kept, candidates, strict=False):
        assert candidate.measured.latency_ms == entry["measured"]["latency_ms"]  # by the clock: not again
        assert candidate.measured.top1 == entry["measured"]["top1"]
    assert not (tmp_path / "out" / "compress-state").exists()
    assert json.loads((tmp_path / "out" / RESULT).read_text()) == result.values


def test_what_was_measured_is_not_computed_again(tmp_path, images, monkeypatch):
    network = checkpoint("32 M 48 | gap 32", norm="batch")

    def fail(*arguments):
        raise Stopped

    monkeypatch.setattr(compress, "try_bits", fail)
    with pytest.raises(Stopped):
        compress_network(network, images, SETTINGS, tmp_path / "out")
    monkeypatch.setattr(compress, "try_bits", try_bits.try_bits)
    monkeypatch.setattr("verydeep.compress.try_widths.prepare_narrowing", fail)
    result = compress_network(network, images, SETTINGS, tmp_path / "out")
    assert result.candidates[-1].name == "quantize"


def test_another_compression_in_the_folder_is_refused_until_it_is_started_over(tmp_path, images):
    network = checkpoint("32 M 48 | gap 32", norm="batch")
    with pytest.raises(Stopped):
        compress_network(network, images, SETTINGS, tmp_path / "out", on_candidate=stop_after(1))
    others = replace(SETTINGS, seed=1), checkpoint("32 M 48 | gap 24", norm="batch")
    with pytest.raises(CompressionError, match=r"unfinished compression with other settings.*--new"):
        compress_network(network, images, others[0], tmp_path / "out")
    with pytest.raises(CompressionError, match="unfinished compression with other network"):
        compress_network(others[1], images, SETTINGS, tmp_path / "out")
    start_over(tmp_path / "out")
    assert compress_network(others[1], images, others[0], tmp_path / "out").settings.seed == 1


def test_a_damaged_journal_is_one_message(tmp_path):
    (tmp_path / "compress-state").mkdir()
    (tmp_path / "compress-state" / "journal.json").write_text("{")
    require_free(tmp_path)
    with pytest.raises(CheckpointError, match=r"journal.json is damaged: .*Start over with --new"):
        Journal(tmp_path, {})


def test_a_contender_that_did_not_learn_is_remembered_with_its_time(tmp_path):
    (tmp_path / "compress-state").mkdir()
    Journal(tmp_path, {"seed": 0}).fail("16 M | gap", 2.5)
    assert Journal(tmp_path, {"seed": 0}).content.failed == {"16 M | gap": 2.5}


def test_a_limit_that_cannot_be_met_leaves_nothing(tmp_path, images):
    settings = replace(SETTINGS, limit=Limit(kind="bytes", value=10.0))
    with pytest.raises(CompressionError, match="cannot be met"):
        compress_network(checkpoint("32 M 48 | gap 32"), images, settings, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_other_files_are_not_overwritten(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(CompressionError, match=r"is not empty\. Give another --out"):
        require_free(tmp_path)
    start_over(tmp_path)
    assert (tmp_path / "notes.txt").read_text() == "mine"
