"""``verydeep tune`` leaves a page in its run folder."""

import torch
from PIL import Image

from verydeep.architecture.architecture import Architecture
from verydeep.architecture.preprocess import Preprocess
from verydeep.data import synthetic
from verydeep.models.build import build
from verydeep.models.checkpoint import Checkpoint
from verydeep.weights import checkpoint_file as checkpoint


def test_a_tuning_writes_its_report(verydeep, tmp_path):
    torch.manual_seed(0)
    line = Architecture.from_string("16 M 32 M | gap", norm="batch", input=(3, 16, 16), classes=2)
    seen = Preprocess(size=16, mean=(0.5,) * 3, std=(0.25,) * 3)
    checkpoint.save(Checkpoint(build(line).eval(), seen, ("one", "other")), tmp_path / "tiny.safetensors")
    drawn = synthetic.shapes(60, size=16, channels=3, classes=2, seed=0)
    for number, (pixels, label) in enumerate(zip(drawn.pixels, drawn.labels.tolist(), strict=True)):
        path = tmp_path / "my shapes" / drawn.classes[label] / f"{number:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.permute(1, 2, 0).numpy()).save(path)
    done = verydeep(
        "tune", "my shapes", "--weights", "tiny.safetensors", "--frozen", "--out", "run",
        cwd=tmp_path, VERYDEEP_CACHE=str(tmp_path / "cache"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "Report: run/report.html" in done.stdout
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "verydeep tune &#39;my shapes&#39; --weights tiny.safetensors --frozen --out run" in page
    assert "Where it looked" in page and "verydeep predict run photo.jpg" in page
