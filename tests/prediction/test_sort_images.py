"""The folders that images are sorted into."""

from PIL import Image

from verydeep.architecture.architecture import Architecture
from verydeep.architecture.preprocess import Preprocess
from verydeep.models.build import build
from verydeep.models.checkpoint import Checkpoint
from verydeep.prediction.sort_images import sort_images


def test_what_a_killed_process_left_of_a_copy_is_removed(tmp_path):
    network = build(Architecture.from_string("4 | gap", input=(3, 16, 16), classes=2))
    checkpoint = Checkpoint(network.eval(), Preprocess(size=16, mean=(0.5,) * 3, std=(0.25,) * 3), ("a", "b"))
    Image.new("RGB", (16, 16)).save(tmp_path / "1.png")
    out = tmp_path / "out"
    left = out / checkpoint.classes[0] / ".copy.0123abcd.part"
    left.mkdir(parents=True)
    (left / "copy").write_bytes(b"half an im")
    summary = sort_images(checkpoint, [tmp_path / "1.png"], out)
    assert summary.placed == 1
    assert [file.name for file in out.rglob("*") if file.is_file()] == ["1.png"] and not left.exists()
