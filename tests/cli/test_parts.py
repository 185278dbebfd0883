"""``predict`` and ``embed`` into a folder of parts, by shards, beside one file by one process."""

import json
import subprocess
import sys

import numpy as np
import pytest

from verydeep.embed.vector_file import read_vectors

parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra `parquet`")


@pytest.fixture
def images(tmp_path, shapes, monkeypatch):
    """Fourteen images, the fifth of them broken; parts of four."""
    monkeypatch.setattr("verydeep.parts.job.PART_SIZE", 4)
    files = sorted(shapes.rglob("*.png"))[:13]
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"\x89PNG\r\n\x1a\n truncated")
    return [*files[:4], broken, *files[4:]]


def table(folder):
    return parquet.read_table(folder).to_pylist()


def test_shards_predict_what_one_process_predicts(here, trained, images, tmp_path):
    first = here("predict", trained, *images, "--out", tmp_path / "parts", "--shard", "1/2")
    assert first.returncode == 0, first.stderr
    assert "2 of 4 parts, 14 images in all; 8 computed now" in first.stdout
    assert "Missing: parts 1, 3." in first.stderr
    assert "without --shard and --check" in first.stderr
    checked = here("predict", trained, *images, "--out", tmp_path / "parts", "--check", "--json")
    assert (checked.returncode, json.loads(checked.stdout)["missing"]) == (1, [1, 3])
    second = here("predict", trained, *images, "--out", tmp_path / "parts", "--json")
    assert json.loads(second.stdout) == {
        "out": str(tmp_path / "parts"), "images": 14, "parts": 4, "computed": 6, "missing": [], "broken": 1,
        "skipped": {},
    }  # fmt: skip
    here("predict", trained, *images, "--out", tmp_path / "whole.parquet")
    whole = parquet.read_table(tmp_path / "whole.parquet").to_pylist()
    for row, expected in zip(table(tmp_path / "parts"), whole, strict=True):
        assert row.keys() == expected.keys()
        assert (row["file"], row["label"], row["error"]) == (
            expected["file"], expected["label"], expected["error"],
        )  # fmt: skip
        assert row["confidence"] == pytest.approx(expected["confidence"], abs=1e-5)


def test_shards_embed_what_one_process_embeds(here, trained, images, tmp_path):
    for shard in ("2/3", "1/3", "3/3"):
        here("embed", trained, *images, "--out", tmp_path / "parts", "--shard", shard)
    checked = here("embed", trained, *images, "--out", tmp_path / "parts", "--check")
    assert "4 of 4 parts, 14 images in all" in checked.stdout
    assert "1 broken" in checked.stderr
    here("embed", trained, *images, "--out", tmp_path / "whole.npz", "--precision", "fp32")
    whole = read_vectors(tmp_path / "whole.npz")
    rows = table(tmp_path / "parts")
    found = {row["file"]: row["vector"] for row in rows if row["error"] is None}
    assert list(found) == list(whole.files)
    np.testing.assert_allclose(list(found.values()), whole.vectors, rtol=1e-4, atol=1e-5)
    assert [row["file"].endswith("broken.png") for row in rows if row["vector"] is None] == [True]


def test_similar_reads_the_parts_of_embed(here, trained, images, tmp_path):
    here("embed", trained, *images, "--out", tmp_path / "parts")
    here("embed", trained, *images, "--out", tmp_path / "whole.npz")
    found = [
        json.loads(here("similar", trained, tmp_path / vectors, images[0], "--json").stdout)["neighbors"]
        for vectors in ("parts", "whole.npz")
    ]
    names = [[neighbor["file"] for neighbor in each] for each in found]
    assert len(names[0]) == 12 and names[0] == names[1]
    here("predict", trained, *images, "--out", tmp_path / "predictions")
    refused = here("similar", trained, tmp_path / "predictions", images[0])
    assert refused.returncode == 2 and "but by `verydeep predict`" in refused.stderr
    (tmp_path / "parts" / "part-000001.parquet").unlink()
    unfinished = here("similar", trained, tmp_path / "parts", images[0])
    assert (
        unfinished.returncode == 2 and "has 3 of 4 parts; run the same `verydeep embed`" in unfinished.stderr
    )


def test_a_part_of_broken_images_has_their_reasons(here, trained, images, tmp_path):
    broken = [images[4]]
    done = here("embed", trained, *broken, "--out", tmp_path / "parts", "--json")
    assert done.returncode == 0 and json.loads(done.stdout)["broken"] == 1
    assert here("embed", trained, *broken, "--out", tmp_path / "parts", "--check").returncode == 1
    assert "broken.png" in table(tmp_path / "parts")[0]["error"]
    refused = here("similar", trained, tmp_path / "parts", images[0])
    assert refused.returncode == 2 and "none of its images can be read" in refused.stderr


@pytest.mark.parametrize("verb", ["predict", "embed"])
def test_images_that_were_broken_are_read_again_without_their_parts(here, trained, images, tmp_path, verb):
    command = (verb, trained, *images, "--out", tmp_path / "parts")
    done = here(*command)
    assert "1 broken" in done.stderr
    assert "To read them again, delete part-000001.parquet and run the same command" in done.stderr
    images[4].write_bytes(images[0].read_bytes())
    (tmp_path / "parts" / "part-000001.parquet").unlink()
    assert here(*command).stderr == ""
    assert here(*command, "--check").returncode == 0


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--out", "p.csv", "--shard", "1/2"), "--shard needs a folder"),
        (("--check",), "--check needs a folder"),
        (("--out", "parts", "--shard", "3/2"), "expected I/N"),
        (("--out", "parts", "--shard", ""), "expected I/N"),
        (("--out", "parts", "--resume"), "without --resume"),
        (("--out", "parts", "--check"), "nothing was computed there yet"),
        (("--sort-into", "sorted", "--shard", "1/2"), "--shard"),
    ],
)
def test_flags_that_do_not_fit_are_refused(here, trained, shapes, tmp_path, flags, message):
    done = here("predict", trained, shapes, *flags, cwd=tmp_path)
    assert done.returncode == 2 and message in done.stderr
    assert not any(tmp_path.iterdir())


def test_torchrun_gives_the_shard(here, trained, images, tmp_path, as_rank):
    as_rank(1, 2)
    done = here("predict", trained, *images, "--out", tmp_path / "parts", "--json")
    assert json.loads(done.stdout)["missing"] == [0, 2]


@pytest.mark.parametrize("command", ["predict", "embed"])
@pytest.mark.parametrize("flags", [(), ("--out", "file.parquet")])
def test_torchrun_needs_a_folder_for_the_parts(here, trained, shapes, tmp_path, as_rank, command, flags):
    as_rank(0, 2)
    refused = here(command, trained, shapes, *flags, cwd=tmp_path)
    assert refused.returncode == 2 and "name one with --out parts/" in refused.stderr
    as_rank(1, 2)
    refused = here(command, trained, shapes, *flags, cwd=tmp_path)
    assert refused.returncode == 2 and not refused.stderr
    assert not any(tmp_path.iterdir())


@pytest.mark.slow
def test_torchrun_ends_well_though_an_image_is_broken(trained, shapes, tmp_path):
    image, folder = next(shapes.rglob("*.png")), tmp_path / "images"
    folder.mkdir()
    for number in range(1500):
        (folder / f"{number:04d}.png").hardlink_to(image)
    (folder / "0000.png").unlink()
    (folder / "0000.png").write_bytes(b"\x89PNG\r\n\x1a\n truncated")
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "-m", "verydeep"]
    done = subprocess.run(
        [*command, "predict", trained, folder, "--out", tmp_path / "parts"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    rows = table(tmp_path / "parts")
    assert len(rows) == 1500 and sum(row["error"] is not None for row in rows) == 1
