"""Data checks of folders: the findings, their severity, messages and next steps."""

import shutil

import numpy as np
import pytest
from PIL import Image

from verydeep.check.check import check_images, check_unreadable
from verydeep.check.findings import findings
from verydeep.check.grouping import near_duplicate_groups, read_grouped
from verydeep.errors import DataError
from verydeep.image_sources.folders.read_folder import read_folder
from verydeep.image_sources.image_source import UnreadableImage
from verydeep.image_sources.samples import grouped

from ..data.pictures import picture, save
from ..decoding.tiff import tiff


@pytest.fixture
def clean(tmp_path):
    """Two classes of twenty images without data quality issues."""
    for seed in range(40):
        save(
            picture(seed),
            tmp_path / "set" / f"class {seed % 2}" / f"{seed:02}.jpg",
            quality=92,
        )
    return tmp_path / "set"


def findings_by_kind(folder, group_by=None):
    """The findings in ``folder``, by kind."""
    return {finding.kind: finding for finding in findings(check_images(read_grouped(folder, group_by)))}


def test_a_clean_folder_has_no_findings(clean):
    calls = []
    result = check_images(read_folder(clean), progress=lambda *done: calls.append(done))
    assert findings(result) == ()
    assert calls[-1] == (40, 40)
    assert result.sizes.median == (120, 90)
    assert result.kinds == {"color": 40}


def test_one_image_per_class(tmp_path):
    for seed, name in enumerate(("cat", "dog")):
        save(picture(seed), tmp_path / name / "x.jpg")
    by_kind = findings_by_kind(tmp_path)
    assert list(by_kind) == ["single image"] and by_kind["single image"].severity == "error"
    assert "cat, dog" in by_kind["single image"].message and "Add images" in by_kind["single image"].next_step


def test_a_truncated_an_empty_and_a_huge_file(clean):
    first, second, third = sorted(clean.rglob("*.jpg"))[:3]
    first.write_bytes(first.read_bytes()[:700])
    second.write_bytes(b"")
    save(Image.new("1", (11_000, 10_000)), third.with_suffix(".png"))
    finding = findings_by_kind(clean)["unreadable"]
    assert finding.severity == "error"
    assert finding.message == "3 images of 41 cannot be read: 1 truncated, 1 empty, 1 too large."
    assert {each[0].rsplit("/", 1)[1] for each in finding.files} == {
        first.name,
        second.name,
        f"{third.stem}.png",
    }


def test_gray_16_bit_pngs_have_no_findings(tmp_path):
    for seed in range(40):
        pixels = np.asarray(picture(seed, mode="L")).astype(np.uint16) * 257
        save(Image.fromarray(pixels), tmp_path / f"class {seed % 2}" / f"{seed}.png")
    result = check_images(read_folder(tmp_path))
    assert result.kinds == {"16-bit": 40}
    assert findings(result) == ()


def test_one_image_in_two_classes(clean):
    first = next((clean / "class 0").iterdir())
    second = sorted((clean / "class 1").iterdir())[-1]
    shutil.copy(first, clean / "class 1" / "again.jpg")
    save(Image.open(second).resize((60, 45)), clean / "class 0" / "small.png")
    by_kind = findings_by_kind(clean)
    assert by_kind["label conflict"].severity == "error"
    assert set(by_kind["label conflict"].files[0]) == {f"class 0/{first.name}", "class 1/again.jpg"}
    assert by_kind["likely label conflict"].severity == "warning"
    assert set(by_kind["likely label conflict"].files[0]) == {f"class 1/{second.name}", "class 0/small.png"}
    assert by_kind["duplicates"].message.startswith(
        "2 images are duplicates: 1 with the same bytes, 1 near duplicate (saved again"
    )


def test_a_mirrored_image_of_another_class_is_no_label_conflict(clean):
    """A mirrored 2 may look like a 5."""
    first = next((clean / "class 0").iterdir())
    save(Image.open(first).transpose(Image.Transpose.FLIP_LEFT_RIGHT), clean / "class 1" / "mirrored.png")
    by_kind = findings_by_kind(clean)
    assert "duplicates" in by_kind and "likely label conflict" not in by_kind


def test_only_copies_are_to_be_removed(clean):
    first = next((clean / "class 0").iterdir())
    save(Image.open(first).resize((60, 45)), clean / "class 0" / "small.png")
    assert findings_by_kind(clean)["duplicates"].next_step.startswith("Look at the near duplicates")
    shutil.copy(first, clean / "class 0" / "again.jpg")
    assert findings_by_kind(clean)["duplicates"].next_step.startswith("Remove the copies; look at the near")
    (clean / "class 0" / "small.png").unlink()
    assert findings_by_kind(clean)["duplicates"].next_step.startswith("Remove the copies, or keep them on")


def test_messages_use_the_singular_for_one_image(clean):
    first = next((clean / "class 0").iterdir())
    shutil.copy(first, clean / "class 0" / "again.jpg")
    assert findings_by_kind(clean)["duplicates"].message.startswith(
        "1 image is a duplicate: 1 with the same bytes, 0 near duplicates"
    )
    shutil.copy(first, clean / "class 1" / "wrong.jpg")
    assert findings_by_kind(clean)["label conflict"].message.startswith("1 image is in two classes with")


def test_duplicates_on_both_sides_of_a_split(clean, tmp_path):
    shutil.move(clean, tmp_path / "parts" / "train")
    for number in range(3):
        for label in (0, 1):
            save(
                picture(100 + 2 * number + label),
                tmp_path / f"parts/test/class {label}/new{number}{label}.jpg",
            )
    original = next((tmp_path / "parts/train/class 0").iterdir())
    save(
        Image.open(original).transpose(Image.Transpose.FLIP_LEFT_RIGHT),
        tmp_path / "parts/test/class 0/mirrored.jpg",
    )
    by_kind = findings_by_kind(tmp_path / "parts")
    assert by_kind["duplicates across splits"].severity == "error"
    assert by_kind["duplicates across splits"].message.startswith(
        "1 of 7 test images has a duplicate or near"
    )
    assert set(by_kind["duplicates across splits"].files[0]) == {
        f"train/class 0/{original.name}", "test/class 0/mirrored.jpg"
    }  # fmt: skip
    shutil.rmtree(tmp_path / "parts/test/class 1")
    assert (
        findings_by_kind(tmp_path / "parts")["class missing in a split"].message
        == "test has no images of class 1."
    )


def test_empty_small_imbalanced_and_duplicate_classes(clean):
    (clean / "Class_0").mkdir()
    for number, file in enumerate(sorted((clean / "class 1").iterdir())):
        if number >= 5:
            file.unlink()
    by_kind = findings_by_kind(clean)
    assert by_kind["empty class"].message == "Classes without images: Class_0."
    assert "'Class_0' and 'class 0'" in by_kind["same class twice"].message
    assert "class 1 5" in by_kind["few images"].message
    assert "4.0 times" in by_kind["class imbalance"].message and "80%" in by_kind["class imbalance"].message


def test_names_that_suggest_groups_and_duplicates_in_several_groups(tmp_path):
    for photo in range(8):
        for cell in range(5):
            save(picture(10 * photo + cell), tmp_path / f"class {cell % 2}" / f"photo_{photo}_{cell}.jpg")
    save(picture(71).resize((100, 75)), tmp_path / "class 1" / "photo_0_9.jpg")  # cell 1 of photo 7 again
    by_kind = findings_by_kind(tmp_path)
    assert "8 groups of 5 to 6 images" in by_kind["ungrouped"].message
    assert "--group-by 'photo_[0-9]+'" in by_kind["ungrouped"].next_step
    assert "'duplicates:photo_[0-9]+'" in by_kind["duplicates across groups"].next_step
    with_groups = findings_by_kind(tmp_path, "photo_[0-9]+")
    assert "ungrouped" not in with_groups and "duplicates across groups" in with_groups
    joined = findings_by_kind(tmp_path, "duplicates:photo_[0-9]+")
    assert "duplicates across groups" not in joined


def test_duplicates_are_groups_alone_or_with_a_pattern(clean):
    original = sorted((clean / "class 0").iterdir())[0]
    save(Image.open(original).resize((60, 45)), clean / "class 0" / "small.png")
    samples = read_grouped(clean, "duplicates")
    groups = dict(zip(samples.names, samples.groups, strict=True))
    assert groups["class 0/small.png"] == groups[f"class 0/{original.name}"]
    assert len(set(samples.groups)) == len(samples) - 1
    by_class = near_duplicate_groups(grouped(read_folder(clean), "class ."))
    assert set(by_class.groups) == {"class 0", "class 1"}
    assert read_grouped(clean, "duplicates:class .").groups == by_class.groups


def test_duplicates_across_splits_count_the_images_that_are_measured(tmp_path):
    """Three copies in training and two in the test are two test images; one in validation is one more."""
    for seed in range(30):
        save(
            picture(seed), tmp_path / ("train", "val", "test")[seed % 3] / f"class {seed % 2}" / f"{seed}.png"
        )
    for part, number in (("train", 1), ("train", 2), ("test", 1), ("test", 2), ("val", 1)):
        save(picture(0), tmp_path / part / "class 0" / f"copy {number}.png")
    message = findings_by_kind(tmp_path)["duplicates across splits"].message
    assert message.startswith("2 of 12 test images and 1 of 11 validation images have a duplicate")


def test_a_split_by_duplicates_that_would_be_none_is_refused(clean):
    copied = next((clean / "class 0").iterdir())
    for number in range(45):
        shutil.copy(copied, clean / "class 0" / f"copy {number}.jpg")
    with pytest.raises(DataError, match="puts 46 of the 85 images of set into one group"):
        read_grouped(clean, "duplicates")


def test_groups_on_both_sides_of_a_split(tmp_path):
    for seed in range(12):
        part = "train" if seed % 3 else "test"
        save(picture(seed), tmp_path / part / f"class {seed % 2}" / f"photo_{seed // 3}_{seed}.jpg")
    finding = findings_by_kind(tmp_path, "photo_[0-9]+")["groups across splits"]
    assert finding.severity == "error" and finding.message.startswith(
        "4 of 4 groups are on both sides of a split"
    )


def test_a_kind_of_image_that_only_one_class_has(clean):
    for file in (clean / "class 1").iterdir():
        Image.open(file).convert("L").save(file)
    assert findings_by_kind(clean)["shortcut"].message.startswith("class 1 is gray, and no other class is")


def test_a_similarity_out_of_range_is_an_error(clean):
    with pytest.raises(DataError, match=r"expected 0\.5 to 1"):
        check_images(read_folder(clean), min_similarity=2.0)


def test_training_lists_unreadable_images_and_many_are_an_error(tmp_path):
    unreadable = [
        UnreadableImage(tmp_path / f"{number}.jpg", f"{number}.jpg is empty", "empty") for number in range(6)
    ]
    assert check_unreadable(100, []) == ""
    message = check_unreadable(120, unreadable, "photos")
    assert message.startswith(
        "6 of 120 images cannot be read and are left out: 0.jpg is empty; 1.jpg is empty;"
    )
    assert message.endswith("`verydeep data check photos` lists all")
    with pytest.raises(DataError, match="6 of 119 images cannot be read, more than 5%"):
        check_unreadable(119, unreadable)


@pytest.mark.slow
def test_blood_cells_were_photographed_twice(cell_photographs):
    """These photographs show the same cells: 204 and 277, 205 and 276, 248 and 249, 382 and 395."""
    result = check_images(read_folder(cell_photographs))
    assert not result.unreadable
    assert result.kinds == {"color": 4886}
    assert str(result.proposal) == "364 groups of 1 to 30 images"
    names = result.samples.names
    pairs = {
        frozenset(names[index].split("_")[1] for index in cluster) for cluster in result.duplicates.clusters
    }
    assert {
        frozenset(pair.split()) for pair in ("00204 00277", "00205 00276", "00248 00249", "00382 00395")
    } <= pairs
    assert len(result.duplicates.pairs) <= 24  # of 11.9 million


def test_12_bits_stored_in_16_are_nearly_black(clean):
    for seed in range(3):
        pixels = np.asarray(picture(seed, mode="L")).astype(np.uint16) * 16
        save(Image.fromarray(pixels), clean / "class 0" / f"deep{seed}.png")
    finding = findings_by_kind(clean)["dark"]
    assert finding.severity == "warning" and len(finding.files) == 3
    assert finding.message == (
        "3 images are nearly black, 3 of them with 16 bits: "
        "no pixel is above 6% of the greatest value of its type."
    )
    assert "by the same factor" in finding.next_step


def test_a_tiff_of_an_unknown_kind_is_one_broken_file(clean):
    (clean / "class 0" / "b.tif").write_bytes(tiff(np.zeros((8, 8, 5), np.uint8)))
    finding = findings_by_kind(clean)["unreadable"]
    assert finding.message == "1 image of 41 cannot be read: 1 unsupported."
