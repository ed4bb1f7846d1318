"""Folders of photos and label lists that are damaged or come from a stranger."""

import itertools
import os
from pathlib import Path

from hostile_pieces import ODD_FILES, PHOTOS, PLAIN, photo
from watching import Case

from keras_resnet.data import ImageNetView, imagenet_batches, open_data
from keras_resnet.errors import in_our_words

VIEW = ImageNetView(PLAIN, 8)


def write_folder(root: Path, count: int = 4) -> None:
    for part in ("train", "val"):
        for number in range(count):
            photo(root / part / "ab"[number % 2] / f"{number:03d}.png", number)


def read_folder(folder) -> None:
    """Read a training batch and the validation images."""
    with in_our_words():  # as every command does
        data = open_data("d")
        next(iter(imagenet_batches(data.train, VIEW, 4, seed=0)))
        for _ in imagenet_batches(data.validation, VIEW, 4):
            pass


def folder_case(name: str, make, must=None, count=4, use=read_folder) -> Case:
    def prepare(folder):
        write_folder(folder / "d", count)
        make(folder / "d")

    return Case(f"folder: {name}", prepare, use, must=must)


def folder_photos(draw):
    for (description, make), part, count in itertools.product(PHOTOS.items(), ("train", "val"), (4, 202)):

        def replace(root, make=make, part=part):
            path = root / part / "a" / "000.png"
            path.unlink()
            make(path)

        yield folder_case(
            f"one of {count} photos in {part} is {description}", replace, "served" if count > 100 else None, count
        )


def folder_shapes(draw):
    def renamed(new):
        return lambda root: os.rename(os.fsencode(root / "train" / "b"), os.fsencode(root / "train") + b"/" + new)

    for name in (b"\xff\xfe", b"a\nb", b"x" * 255, b"\xd9\xa3", b"-rf", b" ", b"%s{0}"):
        yield folder_case(f"a class named {name[:12]!r}", renamed(name))
        path = b"/train/a/" + name[:240] + b".png"
        yield folder_case(
            f"a photo named {name[:12]!r}",
            lambda root, path=path: os.rename(root / "train/a/000.png", os.fsencode(root) + path),
            "served",
        )
    for part in ("train", "val", "train/a"):

        def emptied(root, part=part):
            for path in list((root / part).rglob("*.png")):
                path.unlink()

        yield folder_case(f"no photos in {part}", emptied)
        for description, make in ODD_FILES.items():

            def replaced(root, part=part, make=make):
                os.rename(root / part, root / "elsewhere")
                make(root / part)

            yield folder_case(f"{part} is {description}", replaced)


LABELS = {
    "val.txt": (
        *(b"000.png 0\n", b"000.png -1\n", b"000.png x\n", b"000.png\n", b"\xff\n"),
        *(b"000.png " + b"9" * 5000, b"", b"\0"),
    ),
    "LOC_val_solution.csv": (
        *(b"ImageId,PredictionString\n000,\n", b"x,y\n1,2\n", b"\xff\n", b"ImageId\n\0\n", b""),
        b'"' + b"x" * 200_000,
    ),
    "imagenet_2012_validation_synset_labels.txt": (b"a\n", b"a\nb\na\nb\nc\n", b"\xff", b"", b"x y z w"),
    "ILSVRC2012_validation_ground_truth.txt": (b"1\n", b"x\n", b"\xff", b"", b"9" * 5000),
}  # fmt: skip


def label_lists(draw):
    def flat(root, name, content=None, make=None, meta=None):
        for path in list((root / "val").rglob("*.png")):
            os.rename(path, root / "val" / path.name)
        (root / name).write_bytes(content) if make is None else make(root / name)
        if meta is not None:
            (root / "meta.mat").write_bytes(meta)

    for name, contents in LABELS.items():
        for content in contents:
            yield folder_case(f"{name} holds {content[:20]!r}", lambda root, n=name, c=content: flat(root, n, c))
        for description, make in ODD_FILES.items():
            yield folder_case(
                f"{name} is {description}", lambda root, n=name, make=make: flat(root, n, make=make), "refused"
            )
    for meta in (b"", b"MATLAB 5.0", b"\0" * 200, bytes(draw.randrange(256) for _ in range(400))):

        def with_meta(root, meta=meta):
            flat(root, "ILSVRC2012_validation_ground_truth.txt", b"1\n2\n1\n2\n", meta=meta)

        yield folder_case(f"meta.mat holds {meta[:10]!r}", with_meta, "refused")


def lost_photos(draw):
    """Photos lost or damaged between two reads: a few are replaced, many end in one sentence."""
    damages = {
        "gone": lambda path: path.unlink(),
        **{description: (lambda path, make=make: (path.unlink(), make(path))) for description, make in PHOTOS.items()},
    }
    for (description, damage), lost in itertools.product(damages.items(), (1, 150)):
        if "whole" in description and lost > 1:  # valid, and it would take minutes
            continue
        places = draw.sample(range(202), lost)

        def use(folder, damage=damage, places=places):
            data = open_data("d")
            len(data.train), len(data.validation)
            for place in places:
                damage(Path(data.train.file(place)))
            with in_our_words():
                for _ in imagenet_batches(data.train, VIEW, 101, seed=0).take(2):
                    pass
            data.train.reader.check()

        name = f"folder: {lost} of 202 photos are {description} in training"
        must = "served" if lost == 1 else "refused"
        yield Case(name, lambda folder: write_folder(folder / "d", 202), use, ("d/train/*",), must)
