"""Occlusion is the mean drop of the log-probability over the windows that cover a pixel."""

import pytest
import torch

from verydeep.explain.occlusion import occlusion

LABELS = torch.tensor([2, 0])


@pytest.mark.parametrize(("window", "stride"), [(5, 3), (16, 16), (4, 4), (1, 7)])
def test_a_pixel_has_the_mean_of_the_windows_that_cover_it(random_network, window, stride):
    model = random_network("8 M 12 | pool2 6", dropout=0.0).model
    images = torch.randn(2, 3, 16, 20, generator=torch.Generator().manual_seed(1))
    heat = occlusion(model, images, LABELS, window=window, stride=stride, batch_size=3)
    sums, counts = torch.zeros(2, 16, 20), torch.zeros(16, 20)
    with torch.no_grad():
        uncovered = model(images).log_softmax(1).gather(1, LABELS[:, None])
        for top in sorted({*range(0, 16 - window, stride), 16 - window}):
            for left in sorted({*range(0, 20 - window, stride), 20 - window}):
                covered = images.clone()
                covered[:, :, top : top + window, left : left + window] = 0
                drop = uncovered - model(covered).log_softmax(1).gather(1, LABELS[:, None])
                sums[:, top : top + window, left : left + window] += drop[:, :, None]
                counts[top : top + window, left : left + window] += 1
    torch.testing.assert_close(heat, torch.where(counts > 0, sums / counts.clamp(min=1), 0.0))


def test_a_part_without_influence_has_no_heat(colors, red_left):
    images = red_left.float() / 255
    heat = occlusion(colors.model, images, torch.tensor([0]), window=4, stride=2)[0]
    assert (heat[:4] == 0).all() and (heat[9:15, 3:9] > 0).all()
    assert (heat[9:15, 15:21] < 0).all()  # without green, red is more probable
