"""ImageNet as its official archives unpack: train folders and a flat validation folder with a label list."""

import os
import shutil

import numpy as np
import pytest

from keras_resnet import InputError
from keras_resnet.data import folder_split, open_data
from keras_resnet.data.overview import left_out_of


@pytest.fixture
def flat(photo_folder):
    """The photo folder with ``val`` flat: images 1 and 4 are cats, 2 and 3 dogs."""
    for number, source in enumerate(("cat/0", "dog/0", "dog/1", "cat/1"), start=1):
        name = f"ILSVRC2012_val_{number:08d}.JPEG"
        shutil.move(photo_folder / "val" / f"{source}.JPEG", photo_folder / "val" / name)
    for name in ("cat", "dog"):
        (photo_folder / "val" / name).rmdir()
    return photo_folder


def devkit(folder):
    from scipy.io import savemat

    (folder / "devkit" / "data").mkdir(parents=True)
    synsets = np.array(
        [(7, "dog"), (3, "cat"), (9, "animal")], dtype=[("ILSVRC2012_ID", "O"), ("WNID", "O")]
    )  # not numbered in the order of the sorted names, as in the real file
    savemat(folder / "devkit" / "data" / "meta.mat", {"synsets": synsets})
    (folder / "devkit" / "data" / "ILSVRC2012_validation_ground_truth.txt").write_text("3\n7\n7\n3\n")


LISTS = {
    "ILSVRC2012_validation_ground_truth.txt": devkit,
    "imagenet_2012_validation_synset_labels.txt": "cat\ndog\ndog\ncat\n",
    "LOC_val_solution.csv": "ImageId,PredictionString\n"
    + "".join(f"ILSVRC2012_val_0000000{n},{c} 1 2 3 4 \n" for n, c in ((4, "cat"), (2, "dog"), (1, "cat"), (3, "dog"))),
    "val.txt": "".join(f"ILSVRC2012_val_0000000{n}.JPEG {k}\n" for n, k in ((1, 0), (2, 1), (3, 1), (4, 0))),
}


@pytest.mark.parametrize("name", LISTS)
def test_every_known_label_list(name, flat):
    content = LISTS[name]
    if callable(content):
        content(flat)
    else:
        (flat / name).write_text(content)
    photos = open_data(str(flat))
    assert photos.classes == ("cat", "dog")
    assert [int(photos.validation.read(i)[1]) for i in range(4)] == [0, 1, 1, 0]


def test_a_folder_beside_train_and_val_is_named(photo_folder):
    """Of a test part one would think that it is tested on."""
    assert left_out_of(open_data(str(photo_folder))) == ()
    for name in ("test", ".cache"):
        (photo_folder / name).mkdir()
    (left_out,) = left_out_of(open_data(str(photo_folder)))
    assert str(left_out) == "folders beside train and val: 1, test"


def test_without_a_list_the_known_lists_are_named(flat):
    with pytest.raises(InputError, match=r"put their label list into .*LOC_val_solution.csv, val.txt"):
        len(open_data(str(flat)).validation)


def test_a_list_of_another_set_is_refused(flat):
    (flat / "imagenet_2012_validation_synset_labels.txt").write_text("cat\ndog\n")
    with pytest.raises(InputError, match="2 labels for 4 images"):
        len(open_data(str(flat)).validation)
    (flat / "imagenet_2012_validation_synset_labels.txt").write_text("cat\ndog\ncow\ncat\n")
    with pytest.raises(InputError, match=r"no class of .*train for 1 of 4 images .*00000003.JPEG"):
        len(open_data(str(flat)).validation)


def test_a_class_whose_name_cannot_be_printed_is_named(photo_folder):
    os.rename(photo_folder / "train" / "dog", os.fsencode(photo_folder / "train") + b"/\xff")
    with pytest.raises(InputError, match=r"class folder '\\udcff' in .*train has a name that cannot be printed"):
        open_data(str(photo_folder))


@pytest.mark.parametrize("content", [b"0.JPEG -1\n", b"0.JPEG x\n", b"0.JPEG\n", b"\xff", b"\0"])
def test_a_damaged_list_of_labels_is_refused(content, photo_folder):
    for path in (photo_folder / "val").glob("*/*"):
        path.rename(photo_folder / "val" / f"{path.parent.name}{path.name}")
    (photo_folder / "val.txt").write_bytes(content)
    with pytest.raises(InputError, match=r"val\.txt (gives no class|is not as it was published|is not UTF-8 text)"):
        open_data(str(photo_folder)).validation  # noqa: B018  opens it


@pytest.mark.parametrize("kind", ["missing", "a file", "a link to itself"])
def test_a_folder_that_cannot_be_read_is_named_with_the_way_out(kind, tmp_path):
    if kind == "a file":
        (tmp_path / "photos").write_text("none")
    elif kind != "missing":
        (tmp_path / "photos").symlink_to("photos")
    with pytest.raises(InputError, match=r"The folder .*/photos cannot be read \(.*\): check its path and"):
        folder_split(tmp_path / "photos", "photos")


def test_links_to_folders_are_classes_and_broken_links_are_not(photo_folder):
    (photo_folder / "train" / "cow").symlink_to("dog")
    (photo_folder / "train" / "none").symlink_to("nowhere")
    classes, split = folder_split(photo_folder / "train", "train")
    assert (classes, len(split)) == (("cat", "cow", "dog"), 18)
