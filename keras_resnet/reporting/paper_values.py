"""The paper's errors and scores, table by table, in percent."""

from keras_resnet.specs import find_spec

TABLE_2 = {"PlainNet18": 27.94, "PlainNet34": 28.54, "ResNet18": 27.88, "ResNet34": 25.03}  # option A, 10-crop top-1
TABLE_3 = {  # network and shortcut: 10-crop, top-1 / top-5
    ("PlainNet34", None): "28.54 / 10.02",
    ("ResNet34", "A"): "25.03 / 7.76",
    ("ResNet34", "B"): "24.52 / 7.46",
    ("ResNet34", "C"): "24.19 / 7.40",
    ("ResNet50", None): "22.85 / 6.71",
    ("ResNet101", None): "21.75 / 6.05",
    ("ResNet152", None): "21.43 / 5.71",
}
TABLE_4 = {  # network and shortcut: multi-scale, top-1 / top-5
    ("ResNet34", "B"): "21.84 / 5.71",
    ("ResNet34", "C"): "21.53 / 5.60",
    ("ResNet50", None): "20.74 / 5.25",
    ("ResNet101", None): "19.87 / 4.60",
    ("ResNet152", None): "19.38 / 4.49",
}
TABLE_5 = (
    ("ResNet34", "B"),
    ("ResNet34", "C"),
    ("ResNet50", None),
    ("ResNet101", None),
    ("ResNet152", None),
    ("ResNet152", "seed1"),
)  # fmt: skip  the paper says that six networks of different depth, two of 152 layers, were used, but not which
TABLE_6 = {20: "8.75", 32: "7.51", 44: "7.17", 56: "6.97", 110: "6.43 (6.61 ± 0.16)", 1202: "7.93"}
TABLE_7 = {("07", "VGG16"): "73.2", ("07", "ResNet101"): "76.4", ("12", "VGG16"): "70.4", ("12", "ResNet101"): "73.8"}
TABLE_8 = {"VGG16": "41.5 / 21.2", "ResNet101": "48.4 / 27.2"}
TABLE_9 = {  # rows of tools/evaluate_detection.py; each includes the options of the one above
    "baseline": "48.4 / 27.2",
    "refinement": "49.9 / 29.9",
    "context": "51.1 / 30.0",
    "multi-scale": "53.8 / 32.5",
    "ensemble": "59.0 / 37.4",
}
IMAGES = {"cifar10": 64_000 * 128, "imagenet2012": 600_000 * 256}  # that the paper trains on (Sec. 4.2 and 3.4)
IMAGE_SIZES = {"cifar10": 32, "imagenet2012": 224}  # of the paper's networks, in pixels
ADDITIONS = ("change", "augmentation", "augment")  # settings that are empty in the paper's training
MULTIPLY_ADDS = {18: "1.8", 34: "3.6", 50: "3.8", 101: "7.6", 152: "11.3"}


def paper_error(data: str, model: str, shortcut: str | None) -> str:
    """The paper's error and its table for a network with this shortcut, or its own if None; empty if there is none."""
    spec = find_spec(model)
    shortcut = (shortcut or spec.shortcut) if spec.residual else None
    if data == "cifar10" and model == f"ResNet{spec.depth}" and shortcut == "A":
        return f"{TABLE_6[spec.depth]} (Table 6)" if spec.depth in TABLE_6 else ""
    if data != "imagenet2012":
        return ""
    if model in TABLE_2 and shortcut in (None, "A"):
        return f"{TABLE_2[model]} (Table 2, 10-crop)"
    errors = TABLE_3.get((model, shortcut)) or (TABLE_3.get((model, None)) if shortcut == spec.shortcut else None)
    return f"{errors.split()[0]} (Table 3, 10-crop)" if errors else ""


def trained_as_published(settings: dict, steps: int) -> bool:
    """Whether a run's error may stand beside the paper's: the same data, network, recipe and number of images.

    Settings that an early version did not store count as the paper's.
    """
    data = settings["data"]
    published = {"image_size": IMAGE_SIZES.get(data), "recipe": "paper", "loss": "softmax"}
    changed = any((settings.get(name) or value) != value for name, value in published.items())
    changed |= any(settings.get(name) for name in ADDITIONS) or isinstance(settings.get("train_images"), int)
    images = steps * (settings.get("batch_size") or 0)
    return not changed and images >= IMAGES.get(data, float("inf"))
