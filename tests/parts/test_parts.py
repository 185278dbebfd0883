"""Parts of a job: whoever computes them, all are there in the end, once, and those of one process."""

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from verydeep.atomic_write import atomic_write
from verydeep.claim import claim_file
from verydeep.errors import DataError, Interrupted
from verydeep.parts.job import JOB_FILE, missing_parts, new_job, open_job, part_file
from verydeep.parts.shard import Shard, parse_shard, shard_of_process
from verydeep.parts.work import check_parts, compute_parts, is_parts_folder

pyarrow = pytest.importorskip("pyarrow", reason="needs the extra `parquet`")
parquet = pytest.importorskip("pyarrow.parquet", reason="needs the extra `parquet`")

SOURCES = [Path(f"{number}.png") for number in range(47)]
ALL = Shard(1, 1)


@pytest.fixture
def network(tmp_path):
    file = tmp_path / "network.onnx"
    file.write_bytes(b"weights")
    return file


def of_fives(job):
    return replace(job, part_size=5)


@pytest.fixture
def job(network):
    return of_fives(new_job("predict", network, {"top": 2}, SOURCES))


def write(file, images, count):
    """The names of the images; the third of each ten is broken."""
    names = [str(image) for image in images]
    errors = pyarrow.array(["broken" if "3." in name else None for name in names], pyarrow.string())
    with atomic_write(file) as temporary:
        parquet.write_table(pyarrow.table({"file": names, "error": errors}), temporary)
    count(len(images))


def rows(folder, job):
    tables = [parquet.read_table(part_file(folder, part)) for part in range(job.parts)]
    return [name for table in tables for name in table["file"].to_pylist()]


def test_shards_in_any_order_and_number_write_what_one_process_writes(tmp_path, job):
    for shard in (Shard(2, 3), Shard(1, 4), Shard(3, 3), ALL):
        compute_parts(tmp_path / "many", job, SOURCES, shard, write)
    whole = compute_parts(tmp_path / "one", job, SOURCES, ALL, write)
    assert rows(tmp_path / "many", job) == rows(tmp_path / "one", job) == list(map(str, SOURCES))
    assert (whole.computed, whole.parts, whole.missing, whole.broken) == (47, 10, (), 5)
    assert whole.broken_parts == tuple(part_file(tmp_path / "one", part) for part in (0, 2, 4, 6, 8))
    assert sorted(file.name for file in (tmp_path / "many").iterdir()) == sorted(
        file.name for file in (tmp_path / "one").iterdir()
    )


def test_a_shard_computes_its_parts_and_no_part_twice(tmp_path, job):
    first = compute_parts(tmp_path / "out", job, SOURCES, Shard(1, 2), write)
    assert first.computed == 25 and first.missing == (1, 3, 5, 7, 9)
    again = compute_parts(tmp_path / "out", job, SOURCES, Shard(1, 2), write)
    assert again.computed == 0 and again.missing == first.missing
    assert compute_parts(tmp_path / "out", job, SOURCES, ALL, write).computed == 22


def test_progress_counts_the_images_of_this_process(tmp_path, job):
    seen = []
    compute_parts(tmp_path / "out", job, SOURCES, Shard(2, 2), write, lambda *done: seen.append(done))
    assert seen == [(5, 22), (10, 22), (15, 22), (20, 22), (22, 22)]


def test_a_part_that_another_process_is_at_is_left_to_it(tmp_path, job):
    folder = tmp_path / "out"
    open_job(folder, job)
    with claim_file(part_file(folder, 4)):
        assert compute_parts(folder, job, SOURCES, ALL, write).missing == (4,)
    assert compute_parts(folder, job, SOURCES, ALL, write).missing == ()


def test_an_interruption_keeps_finished_parts(tmp_path, job):
    def stopping(file, images, count):
        if file == part_file(tmp_path / "out", 3):
            raise KeyboardInterrupt
        write(file, images, count)

    with pytest.raises(Interrupted, match="Continue with the same command"):
        compute_parts(tmp_path / "out", job, SOURCES, ALL, stopping)
    assert missing_parts(tmp_path / "out", job) == [3, 4, 5, 6, 7, 8, 9]


def test_processes_that_start_at_once_agree_on_one_job(tmp_path, job):
    with ThreadPoolExecutor(8) as pool:
        shards = [Shard(number, 8) for number in range(1, 9)]
        list(pool.map(lambda shard: compute_parts(tmp_path / "out", job, SOURCES, shard, write), shards))
    assert check_parts(tmp_path / "out", job).missing == ()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"command": "embed"}, r"another command \(predict, not embed\)"),
        ({"options": {"top": 3}}, r"another --top \(2, not 3\)"),
        ({"images": 46}, r"number of images \(47, not 46\)"),
        ({"list": "0"}, "another list of images. Give"),
        ({"network": "0"}, "another network. Give"),
        ({"part_size": 6}, r"size of parts \(5, not 6\)"),
    ],
)
def test_another_job_in_the_same_folder_is_refused(tmp_path, job, change, message):
    open_job(tmp_path / "out", job)
    with pytest.raises(DataError, match=message):
        compute_parts(tmp_path / "out", replace(job, **change), SOURCES, ALL, write)


def test_another_list_or_network_is_another_job(network, job):
    assert new_job("predict", network, {"top": 2}, SOURCES[::-1]).list != job.list
    network.write_bytes(b"others!")
    assert new_job("predict", network, {"top": 2}, SOURCES).network != job.network


def test_hidden_files_and_folders_in_a_bundle_are_no_other_network(tmp_path):
    bundle = tmp_path / "bundle"
    bundle.mkdir()
    (bundle / "network.bin").write_bytes(b"weights")
    before = new_job("predict", bundle, {}, SOURCES)
    (bundle / ".DS_Store").write_bytes(b"x")
    (bundle / "notes").mkdir()
    assert new_job("predict", bundle, {}, SOURCES) == before


def test_a_report_in_a_run_folder_is_no_other_network(tmp_path):
    run = tmp_path / "run"
    run.mkdir()
    (run / "model.safetensors").write_bytes(b"weights")
    before = new_job("predict", run, {}, SOURCES)
    (run / "report.html").write_text("new")
    assert new_job("predict", run, {}, SOURCES) == before


def test_a_folder_of_something_else_is_refused(tmp_path, job):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "letter.txt").write_text("dear")
    with pytest.raises(DataError, match="has files in it"):
        compute_parts(tmp_path / "out", job, SOURCES, ALL, write)
    (tmp_path / "out" / JOB_FILE).write_text("[]")
    with pytest.raises(DataError, match="is not a job"):
        compute_parts(tmp_path / "out", job, SOURCES, ALL, write)


def test_a_check_finds_missing_and_damaged_parts(tmp_path, job):
    folder = tmp_path / "out"
    with pytest.raises(DataError, match="nothing was computed"):
        check_parts(folder, job)
    compute_parts(folder, job, SOURCES, ALL, write)
    part_file(folder, 2).unlink()
    assert check_parts(folder, job).missing == (2,)
    write(part_file(folder, 2), SOURCES[:4], lambda images: None)
    with pytest.raises(DataError, match="has 4 rows, expected 5"):
        check_parts(folder, job)
    part_file(folder, 2).write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"part-000002\.parquet is damaged"):
        check_parts(folder, job)


@pytest.mark.parametrize("text", ["0/4", "5/4", "1", "1/", "a/b", "-1/4", "1/4/2", "1.0/4", ""])
def test_what_is_no_shard_is_refused(text):
    with pytest.raises(DataError, match="expected I/N"):
        parse_shard(text)


def test_torchrun_gives_the_shard(monkeypatch, as_rank):
    assert parse_shard("3/8") == Shard(3, 8)
    monkeypatch.delenv("TORCHELASTIC_RUN_ID", raising=False)
    monkeypatch.setenv("RANK", "2")
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert shard_of_process() == ALL
    as_rank(2, 4)
    assert shard_of_process() == Shard(3, 4)


def test_names_without_a_suffix_are_folders(tmp_path):
    assert is_parts_folder(Path("parts")) and not is_parts_folder(Path("parts.csv"))
    (tmp_path / "v1.2").mkdir()
    assert is_parts_folder(tmp_path / "v1.2")


def test_a_killed_process_loses_the_part_that_it_was_at(tmp_path, job, network):
    code = (
        "import time\n"
        "from dataclasses import replace\n"
        "from pathlib import Path\n"
        "from verydeep.parts.job import new_job\n"
        "from verydeep.parts.shard import Shard\n"
        "from verydeep.parts.work import compute_parts\n"
        "sources = [Path(f'{number}.png') for number in range(47)]\n"
        "def write(file, images, count):\n"
        "    if file.name == 'part-000002.parquet':\n"
        "        print('at it', flush=True)\n"
        "        time.sleep(60)\n"
        "    import pyarrow, pyarrow.parquet\n"
        "    names = [str(image) for image in images]\n"
        "    errors = pyarrow.array([None] * len(names), pyarrow.string())\n"
        "    pyarrow.parquet.write_table(pyarrow.table({'file': names, 'error': errors}), file)\n"
        f"job = new_job('predict', Path({str(network)!r}), {{'top': 2}}, sources)\n"
        "job = replace(job, part_size=5)\n"
        f"compute_parts(Path({str(tmp_path / 'out')!r}), job, sources, Shard(1, 1), write)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "at it\n"
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    process.stdout.close()
    assert missing_parts(tmp_path / "out", job) == list(range(2, 10))
    for shard in (Shard(1, 3), Shard(2, 3), Shard(3, 3)):
        compute_parts(tmp_path / "out", job, SOURCES, shard, write)
    assert rows(tmp_path / "out", job) == list(map(str, SOURCES))
    assert len(list((tmp_path / "out").iterdir())) == 11  # _job.json and the parts, no claims of the dead


@pytest.mark.parametrize(
    "text",
    ['{"images": "5"}', "[]", "no", '{"command": "predict", "network": "", "options": [], "images": 1}'],
)
def test_a_damaged_description_is_an_error_in_one_line(tmp_path, job, text):
    (tmp_path / JOB_FILE).write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=r"_job\.json is not a job of verydeep: .*Give another --out"):
        open_job(tmp_path, job)
