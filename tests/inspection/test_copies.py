"""Copies: the same file wherever it lies, and pictures that look the same after what happens to pictures."""

import io
import tracemalloc

import numpy as np
import pytest
from PIL import Image, ImageEnhance

from keras_resnet.inspection import facts_of, find_copies
from keras_resnet.inspection.copies import near_groups
from keras_resnet.inspection.facts import PhotoFacts, perceptual_hash

CHANGES = {  # what makes a picture another file
    "smaller": lambda picture: picture.resize((160, 150)),
    "larger": lambda picture: picture.resize((400, 400)),
    "brighter": lambda picture: ImageEnhance.Brightness(picture).enhance(1.15),
    "worse": lambda picture: picture,
}


@pytest.fixture(scope="module")
def photos(real_data):
    return sorted(real_data("imagenette").glob("val/*/*"))[::10]


@pytest.mark.parametrize("change", CHANGES)
def test_photos_that_look_the_same_are_found_and_no_others(change, photos, tmp_path):
    """40 photos changed, among 50 of ten classes; at least nine tenths are found."""
    changed = []
    for number, photo in enumerate(photos[:40]):
        changed.append(tmp_path / f"{number}.jpg")
        CHANGES[change](Image.open(photo).convert("RGB")).save(changed[-1], quality=40)
    pairs = {tuple(group) for group in near_groups(facts_of([*map(str, photos), *map(str, changed)]))}
    true = {(number, len(photos) + number) for number in range(40)}
    assert len(pairs & true) >= 36
    assert pairs <= true


def test_flat_pictures_are_not_taken_for_copies(tmp_path):
    for number in range(3):
        Image.new("RGB", (40, 40), (80 * number, 10, 10)).save(tmp_path / f"{number}.png")
    assert near_groups(facts_of([str(tmp_path / f"{number}.png") for number in range(3)])) == []


@pytest.mark.long
def test_many_photos_that_look_the_same_are_one_group():
    """Frames of a camera that stands still: a comparison of all pairs would take gigabytes."""
    count, rng = 1500, np.random.default_rng(0)
    scene = rng.integers(8, 248, (16, 16))
    frames = (scene + rng.integers(-2, 3, (count, 16, 16))).astype(np.uint8)
    value = perceptual_hash(scene.repeat(2, 0).repeat(2, 1))
    hashes = np.uint64(value) ^ (np.uint64(1) << rng.integers(0, 64, count, np.uint64))
    sides, no, kinds = np.full(count, 64), np.zeros(count, bool), np.full(count, "JPEG RGB")
    facts = PhotoFacts(sides, sides, kinds, no, no, hashes, frames)
    tracemalloc.start()
    groups = near_groups(facts)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert groups == [list(range(count))]
    assert peak < 16 * 2**20


def test_exact_copies_are_told_from_files_of_one_key_and_from_near_ones(photos, tmp_path):
    files = [str(tmp_path / f"{number}.jpg") for number in range(4)]
    content = photos[0].read_bytes()
    worse = io.BytesIO()
    Image.open(photos[0]).convert("RGB").save(worse, "JPEG", quality=50)
    for file, written in zip(files, (content, content, photos[1].read_bytes(), worse.getvalue()), strict=True):
        with open(file, "wb") as out:
            out.write(written)
    copies = find_copies(files, np.array([7, 7, 7, 8], np.uint64), facts_of(files))
    assert copies.exact == [[0, 1]]
    assert copies.near == [[0, 1, 3]]


def test_the_hash_of_a_mirrored_or_other_picture_is_far(photos):
    greys = [np.asarray(Image.open(photo).convert("L").resize((32, 32))) for photo in photos[:20]]
    hashes = np.array([perceptual_hash(grey) for grey in greys], np.uint64)
    distances = np.bitwise_count(hashes[:, None] ^ hashes)
    assert distances[~np.eye(20, dtype=bool)].min() > 8
    for grey, value in zip(greys, hashes, strict=True):
        assert np.bitwise_count(np.uint64(perceptual_hash(grey[:, ::-1])) ^ value) > 8
