"""The cost of a stage, and that all stages add up to the network."""

import pytest

from verydeep.analyze.stage_cost import stage_macs
from verydeep.analyze.trace import trace
from verydeep.architecture import zoo


@pytest.mark.parametrize("name", ["vgg16", "vgg16_bn", "resnet50", "alexnet", "plain34"])
def test_the_macs_of_the_stages_add_up_to_the_network(name):
    architecture = zoo.resolve(name)
    assert sum(stage_macs(architecture)) == trace(architecture).totals.macs


def test_the_last_stage_of_vgg16_is_a_tenth_at_96_px():
    *stages, head = stage_macs(zoo.resolve("64x2 M 128x2 M 256x3 M 512x3 M 512x3 M | gap").with_input(3, 96))
    assert stages[-1] == 3 * 512 * 512 * 9 * 6 * 6
    assert stages[-1] / sum(stages) == pytest.approx(0.09, abs=0.005)
    assert head == 512 * 1000
