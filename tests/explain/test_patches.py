"""The strongest patches equal a brute-force search, and filters are the weights as colors."""

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


def test_they_have_the_largest_activations_one_per_image(random_network, pixels):
    checkpoint = random_network("8 M 12 | gap")
    strongest = strongest_patches(checkpoint, pixels.split(4), "relu2_1", channels=12, patches=3)
    images = (pixels.float() / 255 - 0.5) / 0.25
    maps = taps(checkpoint.model, "relu2_1")(images)["relu2_1"].detach()
    receptive_field = receptive_fields(checkpoint.model)["relu2_1"]
    assert (strongest.layer, strongest.receptive_field, strongest.images) == (
        "relu2_1",
        receptive_field.size,
        11,
    )
    assert [channel.z_score for channel in strongest.channels] == sorted(
        (channel.z_score for channel in strongest.channels), reverse=True
    )
    active = {number for number in range(12) if maps[:, number].max() > 0}
    assert {channel.channel for channel in strongest.channels} == active and len(active) > 3
    for channel in strongest.channels:
        channel_maps = maps[:, channel.channel]
        best = channel_maps.flatten(1).amax(1).topk(3)
        assert [patch.image for patch in channel.patches] == best.indices.tolist()
        assert [patch.activation for patch in channel.patches] == pytest.approx(best.values.tolist())
        for patch in channel.patches:
            row, column = divmod(int(channel_maps[patch.image].argmax()), channel_maps.shape[2])
            assert patch.box == receptive_field.box(row, column)
        expected = (best.values.mean() - channel_maps.mean()) / channel_maps.std(correction=0)
        assert channel.z_score == pytest.approx(float(expected), rel=1e-4)


def test_a_patch_contains_what_activates_its_channel(colors, red_left):
    strongest = strongest_patches(colors, [red_left], "relu1_2", patches=1)
    assert {channel.channel for channel in strongest.channels} == {0, 1}  # red and green
    for channel in strongest.channels:
        top, left, bottom, right = channel.patches[0].box
        middle = red_left[0, :, top + 1 : bottom - 1, left + 1 : right - 1]  # the first filters cover one px
        assert middle[channel.channel].min() == 200 and int(middle.sum()) == 200 * 9


def test_the_default_layer_has_a_receptive_field_of_at_most_half_of_the_image(random_network, pixels):
    checkpoint = random_network("8x2 M 8x3 M 8x3 | gap")
    strongest = strongest_patches(checkpoint, [pixels])
    sizes = {
        name: field.size
        for name, field in receptive_fields(checkpoint.model).items()
        if name.startswith("relu")
    }
    assert strongest.layer == max((name for name in sizes if sizes[name] <= 8), key=sizes.__getitem__)
    assert 2 * strongest.receptive_field <= 16


def test_no_image_and_no_feature_map_are_rejected(random_network, pixels):
    checkpoint = random_network("8 M 12 | gap")
    with pytest.raises(DataError, match="at least one image"):
        strongest_patches(checkpoint, [])
    with pytest.raises(ArchitectureError, match=r"fc of .* has no feature map"):
        strongest_patches(checkpoint, [pixels], "fc")


def test_filters_are_weights_on_rgb_pixels_with_gray_as_0(random_network):
    checkpoint = random_network("8k5 M 12 | gap")
    preprocess = Preprocess(size=16, mean=(0.5,) * 3, std=(0.1, 0.2, 0.4), order="bgr")
    filters = first_filters(Checkpoint(checkpoint.model, preprocess, ()))
    weights = (
        checkpoint.model.features[0].weight.detach() / torch.tensor(preprocess.std)[:, None, None]
    ).flip(1)
    assert filters.shape == (8, 3, 5, 5) and float(filters.min()) >= 0 and float(filters.max()) <= 1
    for scaled, weight in zip(filters, weights, strict=True):
        torch.testing.assert_close(2 * scaled - 1, weight / weight.abs().max())


def test_filters_of_some_color_channels_cannot_be_drawn(random_network):
    with pytest.raises(ArchitectureError, match="cover 1 of 3 color channels"):
        first_filters(random_network("6g3 M 12 | gap"))
