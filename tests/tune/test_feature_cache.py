"""The feature cache returns what the network computes; only new and changed images are computed."""

import dataclasses
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from verydeep.architecture.architecture import Architecture
from verydeep.architecture.preprocess import Preprocess
from verydeep.data import synthetic
from verydeep.data.decode import decode
from verydeep.data.normalize import normalize
from verydeep.errors import DataError
from verydeep.models.build import build
from verydeep.tune import feature_cache as cache_module
from verydeep.tune.feature_cache import FeatureCache, head_inputs

GAP = Architecture.from_string("8 M 16 M | gap", norm="batch", input=(3, 16, 16), classes=3)
PREPROCESS = Preprocess(size=16, mean=(0.4, 0.5, 0.6), std=(0.2, 0.2, 0.2))


@pytest.fixture
def files(tmp_path):
    """Ten small pictures."""
    pixels = synthetic.shapes(10, size=16, channels=3, classes=3).pixels
    for number, picture in enumerate(pixels):
        Image.fromarray(picture.permute(1, 2, 0).numpy()).save(tmp_path / f"{number}.png")
    return sorted(tmp_path.glob("*.png"))


@pytest.fixture
def model():
    torch.manual_seed(0)
    return build(GAP).eval()


@pytest.fixture
def cache(model, tmp_path):
    return FeatureCache(model, PREPROCESS, tmp_path / "cache")


def reopen(cache, model=None, preprocess=None, **changes):
    """The cache in the same folder, as another run opens it."""
    return FeatureCache(model or cache.model, preprocess or cache.preprocess, cache.folder.parent, **changes)


def test_features_are_the_inputs_of_the_last_layer(cache, files):
    images = normalize(torch.stack([decode(file, PREPROCESS) for file in files]), PREPROCESS)
    with torch.inference_mode():
        expected = cache.model.features(images).mean((2, 3))
        logits = cache.model(images)
    features = cache(files)
    torch.testing.assert_close(features.values, expected)
    torch.testing.assert_close(cache.model.classifier(features.values), logits)
    assert (features.computed, features.cached) == (10, 0)


def test_with_hidden_layers_features_are_those_of_the_last_one():
    model = build(Architecture.from_string("8 M | pool2 12 10", input=(3, 16, 16), classes=3)).eval()
    images = torch.randn(2, 3, 16, 16)
    values = head_inputs(model, images)
    assert values.shape == (2, 10)
    torch.testing.assert_close(model.classifier[-1](values), model(images))


def test_a_second_run_computes_nothing(cache, files):
    first, second = cache(files), reopen(cache)(files)
    assert (second.computed, second.cached) == (0, 10)
    assert torch.equal(first.values, second.values)


def test_only_new_images_are_computed(cache, files, tmp_path):
    cache(files[:4])
    both = reopen(cache)(files)
    assert (both.computed, both.cached) == (6, 4)
    alone = FeatureCache(cache.model, PREPROCESS, tmp_path / "elsewhere")(files)
    torch.testing.assert_close(both.values, alone.values)


def test_a_file_with_new_content_is_computed_even_at_its_old_time_and_size(cache, files):
    before = cache(files).values
    times = files[3].stat()
    content = files[3].read_bytes()
    Image.open(files[4]).save(files[3])
    padded = files[3].read_bytes()[: len(content)].ljust(len(content), b"\0")
    files[3].write_bytes(padded if len(padded) >= len(files[4].read_bytes()) else files[4].read_bytes())
    os.utime(files[3], ns=(times.st_atime_ns, times.st_mtime_ns))
    after = reopen(cache)(files).values
    assert torch.equal(after[3], before[4])
    assert torch.equal(after[:3], before[:3])


def test_a_renamed_file_is_found_in_the_cache(cache, files):
    cache(files)
    files[0] = files[0].rename(files[0].with_name("renamed.png"))
    assert reopen(cache)(files).computed == 0


def test_the_same_content_twice_is_computed_once(cache, files, tmp_path):
    copy = tmp_path / "copy.png"
    copy.write_bytes(files[0].read_bytes())
    features = cache([files[0], copy])
    assert features.computed == 1
    assert torch.equal(features.values[0], features.values[1])


@pytest.mark.parametrize("change", ["weights", "size", "mean", "fit", "layer", "extract"])
def test_another_network_or_preprocessing_has_another_cache(cache, model, files, change):
    cache(files)
    preprocess, extract = PREPROCESS, head_inputs
    match change:
        case "weights":
            with torch.no_grad():
                model.features[0].weight[0, 0, 0, 0] += 1e-3
        case "size":
            preprocess = dataclasses.replace(PREPROCESS, size=12)
        case "mean":
            preprocess = dataclasses.replace(PREPROCESS, mean=(0.4, 0.5, 0.7))
        case "fit":
            preprocess = PREPROCESS.with_fit("pad")
        case "layer":
            model = build(dataclasses.replace(GAP, norm="batch-after-pool"))
        case "extract":
            extract = brightest
    assert reopen(cache, model, preprocess, extract=extract)(files).cached == 0


def brightest(model, images):
    return model.features(images).amax((2, 3))


def test_the_last_layer_does_not_matter(cache, model, files):
    cache(files)
    torch.nn.init.zeros_(model.classifier[-1].weight)
    assert reopen(cache, model)(files).cached == 10


def test_unreadable_images_are_reported_and_left_out(cache, files, tmp_path):
    files[2].write_bytes(b"no image")
    files[5].unlink()
    features = cache(files)
    assert features.indices.tolist() == [0, 1, 3, 4, 6, 7, 8, 9]
    assert [index for index, _ in features.unreadable] == [2, 5]
    assert "2.png is not an image" in features.unreadable[0][1].reason
    assert "5.png does not exist" in features.unreadable[1][1].reason
    assert reopen(cache)(files).cached == 8


def test_if_nothing_can_be_read_the_message_says_why(cache, tmp_path):
    with pytest.raises(DataError, match=r"none of 1 images can be read: .*gone\.png does not exist"):
        cache([tmp_path / "gone.png"])


def test_an_interruption_keeps_what_was_computed(cache, files, monkeypatch):
    monkeypatch.setattr(cache_module, "BATCH_PIXELS", 16 * 16 * 2)  # two images per batch

    def interrupt(done, total):
        assert total == 10
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache(files, interrupt)
    rest = reopen(cache)(files)
    assert (rest.computed, rest.cached) == (6, 4)


def test_features_are_saved_while_they_are_computed(cache, files, monkeypatch):
    monkeypatch.setattr(cache_module, "BATCH_PIXELS", 16 * 16)
    monkeypatch.setattr(cache_module, "SECONDS_BETWEEN_SAVES", 0.0)
    chunks = []
    cache(files, lambda done, total: chunks.append(len(list(cache.folder.glob("*.safetensors")))))
    assert chunks == list(range(10))  # each batch is on disk before the next is done


def test_a_damaged_chunk_is_computed_reopen(cache, files):
    cache(files)
    (chunk,) = cache.folder.glob("*.safetensors")
    chunk.write_bytes(chunk.read_bytes()[:200])
    assert reopen(cache)(files).computed == 10


def _chunk(cache):
    (chunk,) = cache.folder.glob("*.safetensors")
    return chunk


def test_a_flipped_byte_is_found_and_its_chunk_is_computed_again(cache, files):
    expected = cache(files).values
    chunk = _chunk(cache)
    content = bytearray(chunk.read_bytes())
    content[-3] ^= 1
    chunk.write_bytes(content)
    again = reopen(cache)(files)
    assert again.computed == 10 and torch.equal(again.values, expected)
    assert _chunk(cache).name == chunk.name  # the damaged one is replaced
    assert reopen(cache)(files).cached == 10


@pytest.mark.parametrize("features", [
    torch.zeros(10, 3), torch.zeros(10, 16, dtype=torch.float64), torch.full((10, 16), torch.nan),
    torch.zeros(3, 16),
])  # fmt: skip
def test_a_chunk_of_others_is_not_taken(cache, files, features):
    expected = cache(files).values
    chunk = _chunk(cache)
    save_file({"keys": load_file(chunk)["keys"], "features": features}, chunk)
    again = reopen(cache)(files)
    assert again.computed == 10 and torch.equal(again.values, expected)


def test_a_chunk_of_another_network_is_not_taken(cache, model, files):
    cache(files)
    chunk = _chunk(cache)
    other = reopen(cache, preprocess=dataclasses.replace(PREPROCESS, size=12))
    other.folder.mkdir()
    (other.folder / chunk.name).write_bytes(chunk.read_bytes())
    assert other(files).computed == 10


def test_a_chunk_without_read_permission_is_left_alone(cache, files, monkeypatch):
    cache(files)
    chunk, read_bytes = _chunk(cache), Path.read_bytes

    def refuse(path):
        if path == chunk:
            raise PermissionError(13, "Permission denied", str(path))
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", refuse)
    assert reopen(cache)(files).computed == 10
    assert chunk.exists()


def test_an_unwritable_cache_is_found_before_anything_is_computed(cache, files, monkeypatch):
    cache.folder.parent.mkdir(parents=True, exist_ok=True)
    cache.folder.write_text("a file")
    monkeypatch.setattr(cache, "extract", None)
    with pytest.raises(DataError, match=r"the feature cache .* cannot be written to: .*VERYDEEP_CACHE"):
        cache(files)


def test_a_full_disk_is_found_at_the_first_batch(cache, files, monkeypatch):
    monkeypatch.setattr(cache_module, "BATCH_PIXELS", 16 * 16 * 2)
    monkeypatch.setattr("shutil.disk_usage", lambda _: shutil._ntuple_diskusage(10**9, 10**9, 300))
    calls = []
    monkeypatch.setattr(cache, "extract", lambda *given: calls.append(1) or head_inputs(*given))
    with pytest.raises(DataError, match="the disk is full"):
        cache(files)
    assert calls == [1]


def test_features_do_not_depend_on_the_other_images(cache, files, tmp_path):
    whole = cache(files).values
    for first in range(len(files)):
        alone = FeatureCache(cache.model, PREPROCESS, tmp_path / str(first))(files[first : first + 1])
        assert torch.equal(alone.values[0], whole[first])


SHARES = """
import sys
from pathlib import Path
import torch
from tests.tune.test_feature_cache import GAP, PREPROCESS
from verydeep.models.build import build
from verydeep.tune import feature_cache
from verydeep.tune.feature_cache import FeatureCache
feature_cache.BATCH_PIXELS, feature_cache.BATCHES_OF_CLAIM = 16 * 16, 1
torch.manual_seed(0)
cache = FeatureCache(build(GAP).eval(), PREPROCESS, Path(sys.argv[1]))
torch.set_num_threads(1)
print("ready", flush=True)
sys.stdin.readline()
features = cache(sorted(Path(sys.argv[2]).glob("*.png")))
print(features.computed, features.cached)
"""


@pytest.mark.slow
def test_two_processes_share_the_work(cache, tmp_path):
    pixels = synthetic.shapes(300, size=16, channels=3, classes=3).pixels
    for number, picture in enumerate(pixels):
        Image.fromarray(picture.permute(1, 2, 0).numpy()).save(tmp_path / f"{number:03}.png")
    command = [sys.executable, "-c", SHARES, cache.folder.parent, tmp_path]
    root = Path(__file__).parents[2]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root)
        for _ in range(2)
    ]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    counts = [list(map(int, process.communicate()[0].split())) for process in processes]
    assert sum(computed for computed, _ in counts) == 300
    assert all(computed + cached == 300 for computed, cached in counts)
    assert all(computed > 0 for computed, _ in counts)
    assert {file.suffix for file in cache.folder.iterdir()} == {".safetensors"}
