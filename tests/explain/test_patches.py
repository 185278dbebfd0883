"""The strongest patches are where brute force finds them, and filters are the weights as colors."""

import pytest
import torch

from verydeep.architecture.preprocess import Preprocess
from verydeep.errors import ArchitectureError, DataError
from verydeep.explain.patches import first_filters, strongest_patches
from verydeep.models.checkpoint import Checkpoint
from verydeep.models.feature_extractor import taps
from verydeep.models.receptive_fields import receptive_fields


@pytest.fixture
def pixels():
    return torch.randint(256, (11, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def test_they_are_the_greatest_values_one_an_image(drawn, pixels):
    network = drawn("8 M 12 | gap")
    found = strongest_patches(network, pixels.split(4), "relu2_1", channels=12, patches=3)
    images = (pixels.float() / 255 - 0.5) / 0.25
    maps = taps(network.model, "relu2_1")(images)["relu2_1"].detach()
    field = receptive_fields(network.model)["relu2_1"]
    assert (found.layer, found.field, found.images) == ("relu2_1", field.size, 11)
    assert [one.stands_out for one in found.channels] == sorted(
        (one.stands_out for one in found.channels), reverse=True
    )
    alive = {number for number in range(12) if maps[:, number].max() > 0}
    assert {channel.number for channel in found.channels} == alive and len(alive) > 3
    for channel in found.channels:
        mine = maps[:, channel.number]
        best = mine.flatten(1).amax(1).topk(3)
        assert [patch.image for patch in channel.patches] == best.indices.tolist()
        assert [patch.activation for patch in channel.patches] == pytest.approx(best.values.tolist())
        for patch in channel.patches:
            row, column = divmod(int(mine[patch.image].argmax()), mine.shape[2])
            assert patch.box == field.box(row, column)
        expected = (best.values.mean() - mine.mean()) / mine.std(correction=0)
        assert channel.stands_out == pytest.approx(float(expected), rel=1e-4)


def test_a_patch_holds_what_stirs_its_channel(colors, red_left):
    found = strongest_patches(colors, [red_left], "relu1_2", patches=1)
    assert {channel.number for channel in found.channels} == {0, 1}  # red and green
    for channel in found.channels:
        top, left, bottom, right = channel.patches[0].box
        middle = red_left[0, :, top + 1 : bottom - 1, left + 1 : right - 1]  # the first filters see one px
        assert middle[channel.number].min() == 200 and int(middle.sum()) == 200 * 9


def test_the_default_layer_sees_half_of_the_image_at_most(drawn, pixels):
    network = drawn("8x2 M 8x3 M 8x3 | gap")
    found = strongest_patches(network, [pixels])
    sizes = {
        name: field.size for name, field in receptive_fields(network.model).items() if name.startswith("relu")
    }
    assert found.layer == max((name for name in sizes if sizes[name] <= 8), key=sizes.__getitem__)
    assert 2 * found.field <= 16


def test_no_image_and_no_map_are_refused(drawn, pixels):
    network = drawn("8 M 12 | gap")
    with pytest.raises(DataError, match="no image was given"):
        strongest_patches(network, [])
    with pytest.raises(ArchitectureError, match=r"fc of .* gives no map"):
        strongest_patches(network, [pixels], "fc")


def test_filters_are_weights_on_pixels_about_gray(drawn):
    network = drawn("8k5 M 12 | gap")
    seen = Preprocess(size=16, mean=(0.5,) * 3, std=(0.1, 0.2, 0.4), order="bgr")
    found = first_filters(Checkpoint(network.model, seen, ()))
    weights = (network.model.features[0].weight.detach() / torch.tensor(seen.std)[:, None, None]).flip(1)
    assert found.shape == (8, 3, 5, 5) and float(found.min()) >= 0 and float(found.max()) <= 1
    for ours, theirs in zip(found, weights, strict=True):
        torch.testing.assert_close(2 * ours - 1, theirs / theirs.abs().max())


def test_filters_that_see_some_colors_alone_have_no_picture(drawn):
    with pytest.raises(ArchitectureError, match="look at 1 of 3 colors each"):
        first_filters(drawn("6g3 M 12 | gap"))
