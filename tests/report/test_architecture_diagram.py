"""The diagram: every layer is there, in order, on the page, and the file is sound XML."""

from xml.etree import ElementTree

import pytest

from verydeep.architecture import zoo
from verydeep.architecture.architecture import Architecture
from verydeep.errors import ArchitectureError
from verydeep.report.architecture_diagram import diagram, render, save_diagram
from verydeep.report.diagram_layout import MOST_BOXES


@pytest.mark.parametrize("name", zoo.names())
def test_boxes_stand_in_order_on_the_page(name):
    drawn = diagram(zoo.resolve(name))
    ends = [box.x + box.width for box in drawn.boxes]
    assert all(end < box.x for end, box in zip(ends, drawn.boxes[1:], strict=False))
    assert max(box.x + box.width + box.depth for box in drawn.boxes) <= drawn.width
    assert min(drawn.middle - box.height / 2 - box.depth for box in drawn.boxes) > 80
    assert min([drawn.middle + arc.top for arc in drawn.arcs], default=99) > 80
    assert len(drawn.boxes) <= MOST_BOXES


def test_vgg16_has_21_boxes_higher_where_maps_are_larger_and_thicker_where_channels_are_more():
    boxes = {box.name: box for box in diagram(zoo.resolve("vgg16")).boxes}
    assert len(boxes) == 21
    assert boxes["conv1_1"].height > boxes["conv3_1"].height > boxes["conv5_1"].height
    assert boxes["conv1_1"].width < boxes["conv3_1"].width < boxes["conv5_1"].width


def test_resnet34_has_an_arc_a_block_and_three_projections():
    drawn = diagram(zoo.resolve("resnet34"))
    assert len(drawn.arcs) == 16 and sum(arc.projects for arc in drawn.arcs) == 3
    assert len([box for box in drawn.boxes if box.kind in ("conv", "fc")]) == 34
    assert not diagram(zoo.resolve("plain34")).arcs


def test_resnet152_says_how_often_a_block_is_repeated():
    drawn = diagram(zoo.resolve("resnet152"))
    assert [arc.times for arc in drawn.arcs] == [1, 2, 1, 7, 1, 35, 1, 2]


def test_stages_bear_the_size_of_their_maps():
    sizes = [stage.size for stage in diagram(zoo.resolve("vgg-tiny")).stages]
    assert [size.split()[0] for size in sizes] == ["28", "14", "7", "head"]


@pytest.mark.parametrize("name", ["vgg16", "resnet18", "alexnet-2012", "vgg-tiny"])
def test_the_file_is_sound_and_names_every_box(name, tmp_path):
    architecture = zoo.resolve(name)
    save_diagram(architecture, tmp_path / "d.svg")
    text = "".join(ElementTree.parse(tmp_path / "d.svg").getroot().itertext())
    assert all(box.name in text for box in diagram(architecture).boxes)
    assert "prefers-color-scheme: dark" in text


def test_text_is_escaped():
    architecture = Architecture.from_string("8 M | gap", name="<b>&", input=(1, 8, 8))
    assert "&lt;b&gt;&amp;" in render(diagram(architecture))


def test_another_ending_is_refused(tmp_path):
    with pytest.raises(ArchitectureError, match=r"a diagram is an SVG file, 'd.png' given; call it d.svg"):
        save_diagram(zoo.resolve("vgg11"), tmp_path / "d.png")
