"""The division of photos: by content, class by class, the same each time."""

import numpy as np
import pytest

from keras_resnet import InputError
from keras_resnet.data import Division, open_data


@pytest.fixture
def photos(rng):
    """Labels of 4 classes of 400, 100, 7 and 1 photos in any order, and a key each."""
    labels = rng.permutation(np.repeat([0, 1, 2, 3], [400, 100, 7, 1]))
    return labels, rng.integers(0, 2**63, len(labels)).astype(np.uint64)


def test_each_class_gives_its_share_at_least_one_and_not_its_only_one(photos):
    labels, keys = photos
    held_out = Division(0.15).held_out(labels, keys, "photos")
    assert np.bincount(labels[held_out], minlength=4).tolist() == [60, 15, 1, 0]
    held_out = Division(0.001).held_out(labels, keys, "photos")
    assert np.bincount(labels[held_out], minlength=4).tolist() == [1, 1, 1, 0]
    held_out = Division(0.999).held_out(labels, keys, "photos")
    assert np.bincount(labels[held_out], minlength=4).tolist() == [399, 99, 6, 0]


def test_it_depends_on_content_alone(photos, rng):
    labels, keys = photos
    held_out = Division().held_out(labels, keys, "photos")
    order = rng.permutation(len(labels))
    np.testing.assert_array_equal(Division().held_out(labels[order], keys[order], "photos"), held_out[order])


def test_a_photo_that_is_added_moves_at_most_one_other(photos):
    labels, keys = photos
    before = Division().held_out(labels, keys, "photos")
    for key in (0, 2**62, 2**63):
        after = Division().held_out(np.append(labels, 0), np.append(keys, np.uint64(key)), "photos")
        assert (after[:-1] != before).sum() <= 1


@pytest.mark.parametrize("division", [Division(0.3), *(Division(None, 3, fold) for fold in (1, 2, 3))])
def test_copies_fall_on_one_side_also_across_classes(division, photos):
    labels, keys = photos
    again = np.arange(0, len(labels), 5)
    labels, keys = np.append(labels, (labels[again] + 1) % 3), np.append(keys, keys[again])
    held_out = division.held_out(labels, keys, "photos")
    np.testing.assert_array_equal(held_out[-len(again) :], held_out[again])


def test_folds_are_of_equal_size_and_hold_each_photo_once(photos):
    labels, keys = photos
    folds = np.stack([Division(None, 5, fold).held_out(labels, keys, "photos") for fold in range(1, 6)])
    np.testing.assert_array_equal(folds.sum(axis=0), 1)
    for label, size in ((0, 80), (1, 20)):
        assert folds[:, labels == label].sum(axis=1).tolist() == [size] * 5
    assert sorted(folds[:, labels == 2].sum(axis=1).tolist()) == [1, 1, 1, 2, 2]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"val_share": 0.2, "folds": 3, "fold": 1}, "--val-share and --folds both divide"),
        ({"folds": 3}, "--folds and --fold go together"),
        ({"folds": 3, "fold": 4}, "--fold 4 is not one of --folds 3: it is from 1 to 3"),
        ({"val_share": 1.5}, "--val-share 1.5 must be a finite number from 0.001 to 0.999"),
    ],
)
def test_divisions_that_make_no_sense(given, words):
    with pytest.raises(InputError, match=words):
        Division(**given)


def test_more_folds_than_photos_and_a_division_of_divided_data_are_refused(photo_folder):
    with pytest.raises(InputError, match="--folds 13 needs as many different photos, and train has 12: ask for fewer"):
        len(open_data(str(photo_folder / "train"), None, Division(None, 13, 1)).train)
    with pytest.raises(InputError, match=r"--folds divides photos without a split, and .* has its own: leave --folds"):
        open_data(str(photo_folder), None, Division(None, 3, 1))
    with pytest.raises(InputError, match="--val-share divides photos without a split, and demo has its own"):
        open_data("demo", None, Division(0.2))


def test_names_of_files_and_the_place_of_the_folder_do_not_matter(photo_folder):
    folder = photo_folder / "train"

    def held_out():
        split = open_data(str(folder), None, Division(0.34)).validation
        return {bytes(split.read(i)[0].numpy()) for i in range(len(split))}

    before = held_out()
    assert len(before) == 4
    for number, path in enumerate(sorted(folder.glob("*/*"))):
        path.rename(path.with_name(f"{99 - number}.jpg"))
    folder = folder.rename(photo_folder / "elsewhere")
    assert held_out() == before
