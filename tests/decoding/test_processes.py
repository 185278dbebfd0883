"""Processes that decode images: they end with the training, whatever ends it, and say when one is lost."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.data.pictures import picture, save
from verydeep.architecture.preprocess import IMAGENET
from verydeep.decoding.decode import decode_pixels
from verydeep.decoding.processes import DecodingProcesses
from verydeep.decoding.work import Unreadable
from verydeep.errors import DataError

PREPROCESS = replace(IMAGENET, size=16, resize=None)
TRAINING = """
import signal, sys, time
from dataclasses import replace
from pathlib import Path
import numpy as np
from verydeep.architecture.preprocess import IMAGENET
from verydeep.decoding.processes import DecodingProcesses

signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in the background
with DecodingProcesses(2, replace(IMAGENET, size=16), "pillow") as processes:
    processes.start()
    processes.decode([(Path(sys.argv[1]), None)], np.empty((1, 3, 16, 16), np.uint8))
    print("decodes", flush=True)
    time.sleep(60)
"""
"""It has no ``if __name__ == "__main__"``, as a user may write it."""


def image_in(folder):
    return save(picture(0, 20, 18), folder / "image.png")


def children(parent):
    """The processes that ``parent`` has started and that have not ended."""
    found = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return [int(child) for child in found if not has_ended(int(child))]


def has_ended(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def wait_until_ended(processes, seconds=20):
    deadline = time.monotonic() + seconds
    while not all(map(has_ended, processes)):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_they_fill_pixels_and_say_what_cannot_be_read(tmp_path):
    image, broken = image_in(tmp_path), tmp_path / "broken.png"
    broken.write_bytes(b"")
    pixels = np.zeros((3, 3, 16, 16), dtype=np.uint8)
    before = set(children(os.getpid()))
    with DecodingProcesses(2, PREPROCESS, "pillow") as processes:
        assert set(children(os.getpid())) == before  # none before the first image
        processes.start()
        processes.start()
        started = set(children(os.getpid())) - before
        outcomes = processes.decode([(image, None), (broken, None), (image, None)], pixels)
    assert len(started) == 2 and all(map(has_ended, started))
    assert outcomes == [False, Unreadable(f"{broken} is empty: 0 bytes", "empty"), False]
    assert (pixels[[0, 2]] == decode_pixels(image, PREPROCESS)).all()


def test_a_killed_process_is_an_error_that_says_so(tmp_path):
    image, before = image_in(tmp_path), set(children(os.getpid()))
    with DecodingProcesses(1, PREPROCESS, "pillow") as processes:
        processes.start()
        (worker,) = set(children(os.getpid())) - before
        os.kill(worker, signal.SIGKILL)
        for _ in range(2):  # whoever asks
            with pytest.raises(DataError, match="a process that decodes images was killed by signal 9"):
                processes.decode([(image, None)], np.empty((1, 3, 16, 16), np.uint8))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_none_is_left_where_the_training_is_killed(tmp_path, how):
    command = [sys.executable, "-c", TRAINING, str(image_in(tmp_path))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as training:
        assert training.stdout.readline() == "decodes\n"
        workers = children(training.pid)
        assert len(workers) == 2
        training.send_signal(how)
        wait_until_ended([training.pid, *workers])
        assert how == signal.SIGINT or not training.stderr.read()


def test_one_of_them_says_that_transparent_images_are_composited_on_white(tmp_path, capfd):
    image = save(picture(0, 20, 18).convert("RGBA"), tmp_path / "image.png")
    with Image.open(image) as opened:
        opened.putalpha(100)
        opened.save(image)
    with DecodingProcesses(3, PREPROCESS, "pillow") as processes:
        processes.start()
        for _ in range(3):  # each process has its turn
            processes.decode([(image, None)], np.empty((1, 3, 16, 16), np.uint8))
    assert capfd.readouterr().err.count("is partly transparent: it is composited on white") == 1
