"""A folder of drawn shapes as PNG files, one folder per class."""

from PIL import Image

from verydeep.data import synthetic


def write_folder(folder, sizes, *, per_photo=2, size=16, seed=0, channels=3):
    """Write so many shapes of each class; ``per_photo`` in a row have the name of one photograph."""
    drawn = synthetic.shapes(3 * max(sizes), size=size, channels=channels, classes=3, seed=seed)
    for label, count in enumerate(sizes):
        class_folder = folder / drawn.classes[label]
        class_folder.mkdir(parents=True)
        for number, picture in enumerate(drawn.pixels[drawn.labels == label][:count]):
            pixels = picture.permute(1, 2, 0).squeeze(2).numpy()
            name = f"photo_{number // per_photo:03}_{number:03}.png"
            Image.fromarray(pixels).save(class_folder / name)
    return folder
