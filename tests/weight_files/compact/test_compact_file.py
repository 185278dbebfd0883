"""A compact file expands to the bits of the checkpoint, is small, and is refused where it is damaged."""

import json
import re
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from verydeep.architecture.architecture import Architecture
from verydeep.architecture.preprocess import Preprocess
from verydeep.compress.layer_inputs import weight_matrix, weighted_layers
from verydeep.compress.steps.gptq import rounded
from verydeep.errors import CheckpointError
from verydeep.models.build import build
from verydeep.models.checkpoint import Checkpoint
from verydeep.weight_files import checks
from verydeep.weight_files.checkpoint_description import CHECKSUM, checkpoint_path, is_checkpoint
from verydeep.weight_files.checkpoint_file import load, save
from verydeep.weight_files.compact.file import read, tensor_sizes, to_bytes
from verydeep.weight_files.compact.header import MAGIC, Header, read_header
from verydeep.weight_files.compact.integers import integers_and_scales
from verydeep.weight_files.compact.tensors import coded_tensor
from verydeep.weight_files.read import read_weights
from verydeep.weights.inspect import inspect

NET = Architecture.from_string("8 M 16 M | pool2 24", "tiny", norm="batch", input=(1, 8, 8), classes=2)
PREPROCESS = Preprocess(size=8, channels=1, mean=(0.3,), std=(0.2,))
DESCRIPTION = {"format": 1}


@pytest.fixture
def checkpoint():
    torch.manual_seed(0)
    model = build(NET).eval()
    for bits, layer in enumerate(weighted_layers(model).values(), start=3):
        layer.weight.data = rounded(weight_matrix(layer), bits).weights.view_as(layer.weight)
        layer.bias.data = torch.rand_like(layer.bias)
    return Checkpoint(model, PREPROCESS, ("cat", "dög"), {"data": "pets", "temperature": 1.5})


@pytest.fixture
def saved(checkpoint, tmp_path):
    save(checkpoint, tmp_path / "model.vdz")
    return tmp_path / "model.vdz"


def bits_of(tensor):
    return tensor.numpy().tobytes()


def test_it_expands_to_the_checkpoint_beside_it(checkpoint, saved):
    save(checkpoint, saved.with_name("model.safetensors"))
    loaded, beside = load(saved), load(saved.with_name("model.safetensors"))
    assert loaded.description == beside.description == checkpoint.description
    state = loaded.model.state_dict()
    assert list(state) == list(beside.model.state_dict())
    for name, value in beside.model.state_dict().items():
        assert value.dtype == state[name].dtype and bits_of(value) == bits_of(state[name])
    assert not loaded.model.training
    assert saved.stat().st_size < saved.with_name("model.safetensors").stat().st_size / 3


def test_each_tensor_is_stored_by_what_it_is(saved):
    records = {each.name: each for each in read_header(saved)[0].tensors}
    assert [(each.kind, each.bits) for name, each in records.items() if each.kind == "integers"] == [
        ("integers", 3), ("integers", 4), ("integers", 5), ("integers", 6)
    ]  # fmt: skip
    assert records["features.1.weight"].kind == "float16"  # ones
    assert records["features.0.bias"].kind == "float32"
    assert records["features.1.num_batches_tracked"].kind == "int64"


def test_the_checksum_is_that_of_the_checkpoint(checkpoint, saved):
    from safetensors import safe_open

    save(checkpoint, saved.with_name("model.safetensors"))
    with safe_open(saved.with_name("model.safetensors"), framework="pt") as opened:
        assert opened.metadata()[CHECKSUM] == read_header(saved)[0].checksum


def test_a_run_folder_with_the_compact_file_alone_is_loaded(checkpoint, saved):
    assert load(saved.parent).classes == ("cat", "dög")
    assert inspect(saved.parent).file == saved
    save(checkpoint, saved.with_name("model.safetensors"))
    assert checkpoint_path(saved.parent).name == "model.safetensors"


def test_it_is_recognized_by_its_first_bytes(saved):
    renamed = saved.rename(saved.with_name("network.bin"))
    assert is_checkpoint(renamed)
    assert read_weights(renamed).format == "compact"
    assert inspect(renamed).architecture_string == NET.string


def test_weights_that_are_not_integers_stay_as_they_are(tmp_path):
    torch.manual_seed(0)
    checkpoint = Checkpoint(build(NET), PREPROCESS, ("cat", "dog"))
    save(checkpoint, tmp_path / "plain.vdz")
    for name, value in load(tmp_path / "plain.vdz").model.state_dict().items():
        assert torch.equal(value, checkpoint.model.state_dict()[name])


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 127), st.integers(1, 6), st.integers(1, 9), st.integers(0, 2**32 - 1), st.integers(-40, 40)
)
def test_any_integers_times_scales_are_found_again(largest, outputs, inputs, seed, exponent):
    random = np.random.default_rng(seed)
    integers = random.integers(-largest, largest + 1, (outputs, inputs)).astype("f4")
    scales = (random.integers(128, 256, (outputs, 1)) * 2.0**exponent).astype("f4")
    found = integers_and_scales(integers * scales)
    assert found is not None
    assert np.array_equal(found[0] * found[1][:, None], integers * scales)
    assert np.abs(found[0]).max() <= np.abs(integers).max()


@pytest.mark.parametrize(
    "values",
    [
        [[1.0, 1 / 3]],
        [[128.0, 1.0]],
        [[float("nan"), 1.0]],
        [[float("inf"), 1.0]],
        [[-0.0, 1.0]],
        [[1e-45, 1.0]],
    ],
)
def test_what_is_not_on_a_grid_is_not_changed(values):
    weights = torch.tensor(values)
    assert integers_and_scales(weights.numpy()) is None
    assert coded_tensor("weight", weights.numpy()).record.kind in ("float32", "float16")


@pytest.mark.parametrize("shape", [(0,), (0, 3), (3, 0), (), (5,), (2, 3, 3, 3)])
def test_any_shape_comes_back(tmp_path, shape):
    tensors = {"a": torch.randn(shape), "b": torch.ones(shape), "c": torch.zeros(shape)}
    (tmp_path / "a.vdz").write_bytes(to_bytes(tensors, DESCRIPTION))
    expanded, _ = read(tmp_path / "a.vdz")
    for name, value in tensors.items():
        assert expanded[name].shape == shape and bits_of(expanded[name]) == bits_of(value)


@pytest.mark.parametrize(("bits", "excess"), [(8, 1.02), (4, 1.03), (3, 1.04)])
def test_the_code_is_close_to_the_entropy(bits, excess):
    """The entropy of one integer after another (Shannon 1948)."""
    torch.manual_seed(0)
    (size,) = tensor_sizes({"weight": rounded(torch.randn(64, 2_000), bits).weights})
    assert size.bits == bits
    assert size.bytes < excess * size.entropy_bytes
    assert 8 * size.bytes / size.values < bits


def test_what_is_written_is_read_however_far_it_expands(tmp_path, monkeypatch):
    """As a wide network of 800 MB in fp32 and 75 MB here; a single value expands furthest."""
    monkeypatch.setattr(checks, "ALWAYS_ALLOWED_BYTES", 0)
    monkeypatch.setattr(checks, "MAX_ADDED_BYTES", 0)
    tensors = {"weight": torch.ones(64, 4096)}
    (tmp_path / "a.vdz").write_bytes(to_bytes(tensors, DESCRIPTION))
    assert tensors["weight"].nbytes > 60 * (tmp_path / "a.vdz").stat().st_size
    assert torch.equal(read(tmp_path / "a.vdz")[0]["weight"], tensors["weight"])


# Files of strangers


@pytest.mark.parametrize("length", [0, 5, 8, 15, 16, 40, -1, -200])
def test_a_truncated_file_is_refused(saved, length):
    saved.write_bytes(saved.read_bytes()[:length])
    with pytest.raises(CheckpointError, match="broken") as caught:
        load(saved)
    assert "\n" not in str(caught.value)


def test_bytes_after_the_end_are_refused(saved):
    saved.write_bytes(saved.read_bytes() + b"more")
    with pytest.raises(CheckpointError, match="bytes of tensors are there"):
        load(saved)


def test_no_altered_byte_alters_a_tensor(checkpoint, saved):
    """It is refused, or is one of the few bits that fill up a last byte."""
    content, refused = saved.read_bytes(), 0
    positions = range(0, len(content), 7)
    for position in positions:
        changed = bytearray(content)
        changed[position] ^= 16
        saved.write_bytes(changed)
        try:
            loaded = load(saved)
        except CheckpointError:
            refused += 1
        else:
            assert loaded.description == checkpoint.description
            for name, value in checkpoint.model.state_dict().items():
                assert torch.equal(value, loaded.model.state_dict()[name])
    assert refused > 0.98 * len(positions)


def rewrite(path, change):
    """The file with another header, whose lengths and checksums are right."""
    end = read_header(path)[1]
    streams = path.read_bytes()[end:]
    packed_bytes = int.from_bytes(path.read_bytes()[8:12], "little")
    values = json.loads(zlib.decompress(path.read_bytes()[16 : 16 + packed_bytes]))
    values, streams = change(values, streams)
    text = values if isinstance(values, bytes) else json.dumps(values).encode()
    packed = zlib.compress(text)
    lengths = len(packed).to_bytes(4, "little") + len(text).to_bytes(4, "little")
    path.write_bytes(MAGIC + lengths + packed + streams)


def with_tensor(**changes):
    def change(values, streams):
        values["tensors"][0] |= changes
        return values, streams

    return change


def declare_a_bomb(values, streams):
    """1 TB of zeros in a kilobyte."""
    bomb = zlib.compress(bytes(1 << 20))
    values["tensors"] = [{"name": "a", "shape": [1 << 20, 1 << 18], "kind": "float32", "bytes": len(bomb)}]
    return values, bomb


def declare_less_than_inflates(values, streams):
    bomb = zlib.compress(bytes(1 << 24))
    values["tensors"] = [{"name": "a", "shape": [4], "kind": "float32", "bytes": len(bomb)}]
    return values, bomb


def repeat_a_name(values, streams):
    values["tensors"][1]["name"] = values["tensors"][0]["name"]
    return values, streams


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (declare_a_bomb, "declares 1,099,511,627,776: weights do not compress that well"),
        (declare_less_than_inflates, "a tensor is not 16 bytes long"),
        (repeat_a_name, "is there twice"),
        (with_tensor(shape=[8, 1, 3, 4]), "the tensor is not|a tensor is not 48 bytes long"),
        (with_tensor(shape=[-1, 2]), "greater than or equal to 0"),
        (with_tensor(shape=[]), "integers have bits and two or more sides"),
        (with_tensor(shape=[10**4000, 10**4000, 1]), "less than or equal to 281474976710656"),
        (with_tensor(shape=[0, 1 << 40, 1 << 40], kind="float32"), "is too large"),
        (with_tensor(shape=[1] * 65, kind="float32"), "at most 8 items"),
        (with_tensor(bytes=int("9" * 4300)), "less than or equal to 281474976710656"),
        (with_tensor(bits=None), "integers have bits"),
        (with_tensor(bits=9), "less than or equal to 8"),
        (with_tensor(kind="bfloat16"), "Input should be 'integers', 'float32'"),
        (with_tensor(bytes=1 << 40), "bytes of tensors are there"),
        (with_tensor(color="red"), "color"),
        (with_tensor(name="other"), "missing: .*unexpected: other|checksum"),
        (lambda values, streams: ({**values, "format": 2}, streams), "format: Input should be 1"),
        (lambda values, streams: (b"{", streams), "cannot read"),
        (lambda values, streams: (b'{"verydeep":' + b"[" * 100_000, streams), "cannot read"),
        (lambda values, streams: ({**values, "checksum": "xxh3-128:0"}, streams), "not those that"),
        (lambda values, streams: ({**values, "verydeep": {}}, streams), "architecture: Field required"),
    ],
)  # fmt: skip
def test_a_false_header_is_refused_in_one_line(saved, change, message):
    rewrite(saved, change)
    with pytest.raises(CheckpointError, match=message) as caught:
        load(saved)
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 1_000


@pytest.mark.parametrize("scale", [0x7F80, 0x7F7F])  # infinity, and the largest: 7 times that is infinite
def test_scales_that_give_infinite_weights_are_refused_without_a_warning(saved, scale):
    scales, integers = zlib.compress(scale.to_bytes(2, "little")), zlib.compress(b"\x70")
    record = {"name": "a", "shape": [1, 2], "kind": "integers", "bits": 4}
    record |= {"bytes": len(integers), "scale_bytes": len(scales)}
    rewrite(saved, lambda values, streams: ({**values, "tensors": [record]}, scales + integers))
    with pytest.raises(CheckpointError, match="not finite: a"):
        load(saved, verify=False)


def test_a_header_of_gigabytes_is_not_unpacked(saved):
    packed = zlib.compress(bytes(1 << 24))
    lengths = len(packed).to_bytes(4, "little") + ((1 << 32) - 1).to_bytes(4, "little")
    saved.write_bytes(MAGIC + lengths + packed)
    with pytest.raises(CheckpointError, match="it declares a header"):
        load(saved)


def test_without_the_checksum_altered_tensors_are_loaded(saved):
    rewrite(saved, lambda values, streams: ({**values, "checksum": "xxh3-128:0"}, streams))
    assert load(saved, verify=False).classes == ("cat", "dög")


def test_a_header_comes_back():
    record = coded_tensor("a", torch.ones(2, 2).numpy()).record
    header = Header(description=DESCRIPTION, checksum="xxh3-128:0", tensors=[record])
    assert header.to_bytes()[:8] == MAGIC


def test_a_header_that_could_not_be_read_again_is_not_written():
    description = {**DESCRIPTION, "classes": ["x" * 100] * 50_000}
    with pytest.raises(CheckpointError, match=r"takes 4\.\d MiB, .*a compact file has at most 4 MiB"):
        Header(description=description, checksum="xxh3-128:0", tensors=[]).to_bytes()


def test_the_reader_on_the_page_reads_it(checkpoint, saved):
    page = (Path(__file__).parents[3] / "docs" / "compact-file.md").read_text(encoding="utf-8")
    (code,) = [block for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL) if "def " in block]
    names = {}
    exec(code, names)
    tensors, header = names["read_compact"](saved)
    assert header["verydeep"]["classes"] == ["cat", "dög"]
    for name, value in checkpoint.model.state_dict().items():
        assert np.array_equal(tensors[name], value.numpy())
