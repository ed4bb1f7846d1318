"""A small detection set and a network for it, shared by the tests of the package, the recipes and the tools.

As in ``conftest.py``, what takes long to import is imported where it is used.
"""

import io
import json
import shutil

import numpy as np
import pytest
from PIL import Image


@pytest.fixture(scope="session")
def rectangles(tmp_path_factory):
    """A folder in COCO's layout: dark pictures of 96 x 96 pixels with a red or a blue rectangle or two."""
    folder = tmp_path_factory.mktemp("rectangles")
    rng = np.random.default_rng(0)
    for split, count in (("train", 12), ("val", 6)):
        (folder / split).mkdir()
        images, annotations = [], []
        for i in range(count):
            picture = rng.integers(0, 60, (96, 96, 3)).astype(np.uint8)
            for left in rng.choice([4, 50], rng.integers(1, 3), replace=False):
                label, (width, height), top = rng.integers(2), rng.integers(20, 40, 2), rng.integers(0, 50)
                picture[top : top + height, left : left + width] = [[220, 30, 30], [30, 30, 220]][label]
                box = {"bbox": [int(left), int(top), int(width), int(height)], "area": int(width * height)}
                entry = {"id": len(annotations) + 1, "image_id": i, "category_id": int(label) + 3, "iscrowd": 0}
                annotations.append(entry | box)
            Image.fromarray(picture).save(folder / split / f"{i}.png")
            images.append({"id": i, "file_name": f"{i}.png", "width": 96, "height": 96})
        categories = [{"id": 3, "name": "red"}, {"id": 4, "name": "blue"}]
        content = {"images": images, "annotations": annotations, "categories": categories}
        (folder / f"{split}.json").write_text(json.dumps(content))
    return folder


@pytest.fixture(scope="session")
def renumbered(rectangles, tmp_path_factory):
    """The same set, whose validation part gives the two categories each other's numbers."""
    folder = tmp_path_factory.mktemp("renumbered") / "set"
    shutil.copytree(rectangles, folder)
    content = json.loads((folder / "val.json").read_text())
    for entry in content["annotations"]:
        entry["category_id"] = 7 - entry["category_id"]
    content["categories"] = [{"id": 3, "name": "blue"}, {"id": 4, "name": "red"}]
    (folder / "val.json").write_text(json.dumps(content))
    return folder


@pytest.fixture(scope="session")
def classifier(rectangles):
    """A narrow random network whose normalization has the statistics of these pictures."""
    import keras

    import keras_resnet

    keras.utils.set_random_seed(0)
    network = keras_resnet.ResNet18(width=0.125, blocks=(1, 1, 1, 1), classes=2, input_shape=(96, 96, 3))
    network.preprocessing = keras_resnet.Preprocessing(mean=[60, 40, 60], std=(50, 50, 50))
    pictures = np.stack([np.asarray(Image.open(path)) for path in sorted((rectangles / "train").iterdir())])
    keras_resnet.evaluation.recalibrate_batch_norm(network, [(network.preprocessing(pictures),)])
    return network


@pytest.fixture(scope="session")
def tfds_rectangles(rectangles, tmp_path_factory):
    """The folder of two TFDS sets of the rectangles, with features of COCO and of VOC, and the training rectangles."""
    import tensorflow_datasets as tfds

    from keras_resnet.detection import open_coco

    folder = tmp_path_factory.mktemp("tfds")
    data, validation = (open_coco(rectangles / f"{part}.json", rectangles / part) for part in ("train", "val"))
    box, flag = tfds.features.BBoxFeature(), np.bool_
    feature_sets = {
        "coco_like": ({"image/id": np.int64}, {"area": np.int64, "is_crowd": flag}),
        "voc_like": ({}, {"is_difficult": flag}),
    }
    for name, (image_features, object_features) in feature_sets.items():
        features = tfds.features.FeaturesDict(
            {
                "image": tfds.features.Image(encoding_format="jpeg"),
                "image/filename": tfds.features.Text(),
                **image_features,
                "objects": tfds.features.Sequence(
                    {"bbox": box, "label": tfds.features.ClassLabel(names=data.classes), **object_features}
                ),
            }
        )

        def records(data, image_features=image_features, object_features=object_features):
            for photo in data.photos:
                buffer = io.BytesIO()
                Image.open(photo.file).save(buffer, "JPEG", quality=95)
                objects = []
                for number, ((x1, y1, x2, y2), label) in enumerate(
                    zip(photo.objects.boxes / 96, photo.objects.classes, strict=True)
                ):
                    more = {key: 7 if key == "area" else number == 1 for key in object_features}
                    objects.append({"bbox": tfds.features.BBox(y1, x1, y2, x2), "label": int(label), **more})
                image = {"image": io.BytesIO(buffer.getvalue()), "objects": objects}
                image |= {"image/filename": f"{photo.id}.jpg"} | dict.fromkeys(image_features, photo.id + 100)
                yield str(photo.id), image

        parts = {"train": records(data), "validation": records(validation)}
        tfds.dataset_builders.store_as_tfds_dataset(
            name=name, version="1.0.0", features=features, split_datasets=parts, data_dir=folder
        )
    return folder, data
