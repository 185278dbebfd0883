"""The diagram: it has every layer in order, inside the figure, and the file is valid XML."""

import re
from xml.etree import ElementTree

import pytest

from verydeep.architecture import zoo
from verydeep.architecture.architecture import Architecture
from verydeep.errors import ArchitectureError
from verydeep.report.architecture_diagram import architecture_diagram, render, save_diagram, without_texts
from verydeep.report.diagram_layout import MAX_BOXES


@pytest.mark.parametrize("name", zoo.names())
def test_boxes_are_in_order_inside_the_figure(name):
    diagram = architecture_diagram(zoo.resolve(name))
    ends = [box.x + box.width for box in diagram.boxes]
    assert all(end < box.x for end, box in zip(ends, diagram.boxes[1:], strict=False))
    assert max(box.x + box.width + box.depth for box in diagram.boxes) <= diagram.width
    assert min(diagram.middle - box.height / 2 - box.depth for box in diagram.boxes) > 80
    assert min([diagram.middle + arc.top for arc in diagram.arcs], default=99) > 80
    assert len(diagram.boxes) <= MAX_BOXES


def test_boxes_are_higher_for_larger_maps_and_wider_for_more_channels():
    boxes = {box.name: box for box in architecture_diagram(zoo.resolve("vgg16")).boxes}
    assert len(boxes) == 21
    assert boxes["conv1_1"].height > boxes["conv3_1"].height > boxes["conv5_1"].height
    assert boxes["conv1_1"].width < boxes["conv3_1"].width < boxes["conv5_1"].width


def test_two_networks_side_by_side_have_one_scale():
    wide, narrow = (
        Architecture.from_string(each, input=(3, 32, 32)) for each in ("64 M 64 | gap", "16 M 16 | gap")
    )
    alone, beside = architecture_diagram(narrow), architecture_diagram(narrow, beside=wide)
    largest = architecture_diagram(wide, beside=narrow)
    assert alone.boxes[0].width == largest.boxes[0].width == 2 * beside.boxes[0].width
    smaller = Architecture.from_string("16 M 16 | gap", input=(3, 16, 16))
    assert architecture_diagram(smaller, beside=wide).boxes[0].height < alone.boxes[0].height


def test_a_diagram_without_its_texts_keeps_all_boxes_inside():
    whole = architecture_diagram(zoo.resolve("resnet18"))
    drawing = without_texts(whole)
    assert drawing.boxes == whole.boxes and drawing.height < whole.height
    assert max(box.x + box.width + box.depth for box in drawing.boxes) <= drawing.width
    tops = [drawing.middle + arc.top for arc in drawing.arcs]
    assert min([*tops, *(drawing.middle - box.height / 2 - box.depth for box in drawing.boxes)]) > 0
    assert "resnet18" not in render(drawing) and "MACs" not in render(drawing).split("<style>")[0]


def test_resnet34_has_one_arc_per_block_and_three_projections():
    diagram = architecture_diagram(zoo.resolve("resnet34"))
    assert len(diagram.arcs) == 16 and sum(arc.projects for arc in diagram.arcs) == 3
    assert len([box for box in diagram.boxes if box.kind in ("conv", "fc")]) == 34
    assert not architecture_diagram(zoo.resolve("plain34")).arcs


def test_resnet152_shows_the_number_of_repeated_blocks():
    diagram = architecture_diagram(zoo.resolve("resnet152"))
    assert [arc.repeats for arc in diagram.arcs] == [1, 2, 1, 7, 1, 35, 1, 2]


def test_stages_have_the_size_of_their_maps():
    sizes = [stage.size for stage in architecture_diagram(zoo.resolve("vgg-tiny")).stages]
    assert [size.split()[0] for size in sizes] == ["28", "14", "7", "head"]


@pytest.mark.parametrize("name", ["vgg16", "resnet18", "alexnet-2012", "vgg-tiny"])
def test_the_file_is_valid_xml_with_the_name_of_every_box(name, tmp_path):
    architecture = zoo.resolve(name)
    save_diagram(architecture, tmp_path / "d.svg")
    text = "".join(ElementTree.parse(tmp_path / "d.svg").getroot().itertext())
    assert all(box.name in text for box in architecture_diagram(architecture).boxes)
    assert "prefers-color-scheme: dark" in text


def test_every_class_has_a_style():
    svg = render(architecture_diagram(zoo.resolve("resnet152")))
    classes = {name for names in re.findall(r'class="([^"]+)"', svg) for name in names.split()}
    styles = re.search(r"<style>(.*?)</style>", svg, flags=re.DOTALL)[1]
    assert "architecture-string" in classes
    assert all(f".{name}" in styles for name in classes)


def test_text_is_escaped():
    architecture = Architecture.from_string("8 M | gap", name="<b>&", input=(1, 8, 8))
    assert "&lt;b&gt;&amp;" in render(architecture_diagram(architecture))


def test_another_suffix_is_an_error(tmp_path):
    with pytest.raises(ArchitectureError, match=r"ends in .svg, 'd.png' given; use d.svg"):
        save_diagram(zoo.resolve("vgg11"), tmp_path / "d.png")
