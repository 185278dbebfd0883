"""``verydeep tune`` writes a page into its run folder."""

import shutil


def test_the_page_has_the_command_and_the_heat_maps(verydeep, shapes, tiny, tmp_path):
    shutil.copytree(shapes, tmp_path / "my shapes")
    shutil.copy(tiny, tmp_path)
    flags = ("--weights", "tiny.safetensors", "--strategy", "linear-probe", "--out", "run")
    done = verydeep("tune", "my shapes", *flags, cwd=tmp_path, VERYDEEP_CACHE=str(tmp_path / "cache"))
    assert done.returncode == 0, done.stderr
    assert "Report: run/report.html" in done.stdout
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    command = "verydeep tune &#39;my shapes&#39; --weights tiny.safetensors --strategy linear-probe --out run"
    assert command in page
    assert "Grad-CAM" in page and "verydeep predict run photo.jpg" in page
