"""The doctor on folders as people have them: what is found, how bad it is, and what one is told."""

import shutil

import numpy as np
import pytest
from PIL import Image

from verydeep.check.check import check, quick_check
from verydeep.check.findings import findings
from verydeep.check.grouping import near_duplicate_groups, read_grouped
from verydeep.data.folder import read_folder
from verydeep.data.samples import grouped
from verydeep.data.stream import Broken
from verydeep.errors import DataError

from ..data.pictures import picture, save


@pytest.fixture
def sound(tmp_path):
    """Two classes of twenty pictures, nothing wrong with them."""
    for seed in range(40):
        save(
            picture(seed),
            tmp_path / "set" / f"class {seed % 2}" / f"{seed:02}.jpg",
            quality=92,
        )
    return tmp_path / "set"


def told(folder, group_by=None):
    """What is found in ``folder``, by its kind."""
    return {finding.kind: finding for finding in findings(check(read_grouped(folder, group_by)))}


def test_nothing_is_said_of_a_sound_folder(sound):
    calls = []
    checkup = check(read_folder(sound), progress=lambda *done: calls.append(done))
    assert findings(checkup) == ()
    assert calls[-1] == (40, 40)
    assert checkup.sizes.median == (120, 90)
    assert checkup.kinds == {"color": 40}


def test_one_image_a_class(tmp_path):
    for seed, name in enumerate(("cat", "dog")):
        save(picture(seed), tmp_path / name / "x.jpg")
    found = told(tmp_path)
    assert list(found) == ["single image"] and found["single image"].severity == "error"
    assert "cat, dog" in found["single image"].said and "Add images" in found["single image"].next


def test_a_broken_an_empty_and_a_huge_file(sound):
    first, second, third = sorted(sound.rglob("*.jpg"))[:3]
    first.write_bytes(first.read_bytes()[:700])
    second.write_bytes(b"")
    save(Image.new("1", (11_000, 10_000)), third.with_suffix(".png"))
    found = told(sound)["damaged"]
    assert found.severity == "error"
    assert found.said == "3 images of 41 cannot be read: 1 cut off, 1 empty, 1 too large."
    assert {each[0].rsplit("/", 1)[1] for each in found.files} == {
        first.name,
        second.name,
        f"{third.stem}.png",
    }


def test_gray_pngs_of_16_bits(tmp_path):
    for seed in range(40):
        pixels = np.asarray(picture(seed, mode="L")).astype(np.uint16) * 257
        save(Image.fromarray(pixels), tmp_path / f"class {seed % 2}" / f"{seed}.png")
    checkup = check(read_folder(tmp_path))
    assert checkup.kinds == {"16-bit": 40}
    assert findings(checkup) == ()


def test_one_image_in_two_classes(sound):
    first = next((sound / "class 0").iterdir())
    second = sorted((sound / "class 1").iterdir())[-1]
    shutil.copy(first, sound / "class 1" / "again.jpg")
    save(Image.open(second).resize((60, 45)), sound / "class 0" / "small.png")
    found = told(sound)
    assert found["label conflict"].severity == "error"
    assert set(found["label conflict"].files[0]) == {f"class 0/{first.name}", "class 1/again.jpg"}
    assert found["likely label conflict"].severity == "warning"
    assert set(found["likely label conflict"].files[0]) == {f"class 1/{second.name}", "class 0/small.png"}
    assert found["duplicates"].said.startswith("2 images are there already: 1 byte for byte, 1 saved again")


def test_one_is_told_as_one(sound):
    first = next((sound / "class 0").iterdir())
    shutil.copy(first, sound / "class 0" / "again.jpg")
    assert told(sound)["duplicates"].said.startswith("1 image is there already: 1 byte for byte")
    shutil.copy(first, sound / "class 1" / "wrong.jpg")
    assert told(sound)["label conflict"].said.startswith("1 image lies in two classes")


def test_images_on_both_sides_of_a_split(sound, tmp_path):
    shutil.move(sound, tmp_path / "parts" / "train")
    for number in range(3):
        for label in (0, 1):
            save(
                picture(100 + 2 * number + label),
                tmp_path / f"parts/test/class {label}/new{number}{label}.jpg",
            )
    seen = next((tmp_path / "parts/train/class 0").iterdir())
    save(
        Image.open(seen).transpose(Image.Transpose.FLIP_LEFT_RIGHT), tmp_path / "parts/test/class 0/seen.jpg"
    )
    found = told(tmp_path / "parts")
    assert found["duplicates across splits"].severity == "error"
    assert set(found["duplicates across splits"].files[0]) == {
        f"train/class 0/{seen.name}", "test/class 0/seen.jpg"
    }  # fmt: skip
    shutil.rmtree(tmp_path / "parts/test/class 1")
    assert told(tmp_path / "parts")["class missing in a split"].said == "test has no image of class 1."


def test_classes_that_are_empty_few_uneven_or_named_twice(sound):
    (sound / "Class_0").mkdir()
    for number, file in enumerate(sorted((sound / "class 1").iterdir())):
        if number >= 5:
            file.unlink()
    found = told(sound)
    assert found["empty class"].said == "Classes without an image: Class_0."
    assert "'Class_0' and 'class 0'" in found["same class twice"].said
    assert "class 1 5" in found["few images"].said
    assert "4.0 times" in found["imbalance"].said and "80%" in found["imbalance"].said


def test_names_that_look_like_groups_and_groups_that_show_the_same(tmp_path):
    for photo in range(8):
        for cell in range(5):
            save(picture(10 * photo + cell), tmp_path / f"class {cell % 2}" / f"photo_{photo}_{cell}.jpg")
    save(picture(71).resize((100, 75)), tmp_path / "class 1" / "photo_0_9.jpg")  # cell 1 of photo 7 again
    found = told(tmp_path)
    assert "8 groups of 5 to 6 images" in found["ungrouped"].said
    assert "--group-by 'photo_[0-9]+'" in found["ungrouped"].next
    assert "'duplicates:photo_[0-9]+'" in found["duplicates across groups"].next
    with_groups = told(tmp_path, "photo_[0-9]+")
    assert "ungrouped" not in with_groups and "duplicates across groups" in with_groups
    joined = told(tmp_path, "duplicates:photo_[0-9]+")
    assert "duplicates across groups" not in joined


def test_duplicates_are_groups_alone_or_with_a_pattern(sound):
    twin = sorted((sound / "class 0").iterdir())[0]
    save(Image.open(twin).resize((60, 45)), sound / "class 0" / "twin.png")
    samples = read_grouped(sound, "duplicates")
    groups = dict(zip(samples.names, samples.groups, strict=True))
    assert groups["class 0/twin.png"] == groups[f"class 0/{twin.name}"]
    assert len(set(samples.groups)) == len(samples) - 1
    by_class = near_duplicate_groups(grouped(read_folder(sound), "class ."))
    assert set(by_class.groups) == {"class 0", "class 1"}
    assert read_grouped(sound, "duplicates:class .").groups == by_class.groups


def test_groups_that_lie_on_both_sides_of_a_split(tmp_path):
    for seed in range(12):
        part = "train" if seed % 3 else "test"
        save(picture(seed), tmp_path / part / f"class {seed % 2}" / f"photo_{seed // 3}_{seed}.jpg")
    found = told(tmp_path, "photo_[0-9]+")["groups across splits"]
    assert found.severity == "error" and found.said == "4 of 4 groups lie on both sides of a split."


def test_a_kind_that_gives_a_class_away(sound):
    for file in (sound / "class 1").iterdir():
        Image.open(file).convert("L").save(file)
    assert told(sound)["shortcut"].said.startswith("class 1 is gray, and no other class is")


def test_a_similarity_out_of_range_is_refused(sound):
    with pytest.raises(DataError, match=r"expected 0\.5 to 1"):
        check(read_folder(sound), least_similarity=2.0)


def test_training_names_the_damaged_and_refuses_many(tmp_path):
    broken = [Broken(tmp_path / f"{number}.jpg", f"{number}.jpg is empty") for number in range(6)]
    assert quick_check(100, []) == ""
    said = quick_check(120, broken, "photos")
    assert said.startswith("6 of 120 images are damaged and left out: 0.jpg is empty; 1.jpg is empty;")
    assert said.endswith("`verydeep data check photos` lists all")
    with pytest.raises(DataError, match="6 of 119 images are damaged, more than 5%"):
        quick_check(119, broken)


@pytest.mark.slow
def test_blood_cells_were_photographed_twice(cell_photographs):
    """By the eye these are the same cells: photographs 204 and 277, 205 and 276, 248 and 249, 382 and 395."""
    checkup = check(read_folder(cell_photographs))
    assert not checkup.damaged
    assert checkup.kinds == {"color": 4886}
    assert str(checkup.proposal) == "364 groups of 1 to 30 images"
    names = checkup.samples.names
    pairs = {
        frozenset(names[place].split("_")[1] for place in cluster) for cluster in checkup.duplicates.clusters
    }
    assert {
        frozenset(pair.split()) for pair in ("00204 00277", "00205 00276", "00248 00249", "00382 00395")
    } <= pairs
    assert len(checkup.duplicates.pairs) <= 24  # of 11.9 million
