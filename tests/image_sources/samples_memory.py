"""The memory that the images of a location take, measured in a process of its own."""

import subprocess
import sys

MEASURE = """
import gc, sys, tracemalloc
from verydeep.image_sources.open_images import read_samples

read_samples(sys.argv[1])  # what is imported and compiled once
tracemalloc.start()
samples = read_samples(sys.argv[1])
gc.collect()
print(len(samples), *tracemalloc.get_traced_memory())
"""


def samples_memory(location):
    """The number of images, and the bytes of each: afterwards, and at most while they are read."""
    command = [sys.executable, "-c", MEASURE, location]  # without the checks of types, which keep much
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    count, kept, most = map(int, printed.split())
    return count, kept / count, most / count
