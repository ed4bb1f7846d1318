"""Files and folders without read or write permission, and files on a failing disk."""

import itertools
import json
import os
import random
from pathlib import Path

import hostile_archives
from hostile_detection import coco_document, read_detection, voc_xml
from hostile_folders import read_folder, write_folder
from hostile_pieces import photo
from hostile_records import write_records
from hostile_run_parts import goes_on
from hostile_weights import classify, evaluate, load, load_weights, photos, read
from hostile_workdirs import program
from run_folders import FULL, run_of
from watching import Case

from keras_resnet.data import open_data, records
from keras_resnet.detection import open_coco_sets, open_voc_sets
from keras_resnet.training.files.workdir import Workdir

PROMISE = "refused with a sentence that names the file or folder; without a cache it goes on"
READ_ONLY, NAMES_ONLY, CLOSED = 0o500, 0o400, 0o000


def cases(seed: int, count: int) -> list[Case]:
    """``count`` cases, taken in turn from every kind until it is exhausted."""
    draw = random.Random(seed)
    kinds = [list(kind()) for kind in KINDS]
    for kind in kinds:
        draw.shuffle(kind)
    in_turn = itertools.chain.from_iterable(itertools.zip_longest(*kinds))
    return [case for case in in_turn if case is not None][:count]


def close(path: Path, mode: int = CLOSED) -> None:
    """Remove the permissions; a user who is not stopped by that cannot try these cases."""
    path.chmod(mode)
    if mode == READ_ONLY:
        stopped = not os.access(path, os.W_OK)
    elif path.is_dir():
        stopped = not os.access(path, os.X_OK)
    else:
        stopped = not os.access(path, os.R_OK)
    if not stopped:
        raise AssertionError(f"{path} can be used in spite of its permissions")


def fail(path: Path) -> None:
    """Make every read of the file end in EIO, as on a failing disk."""
    path.unlink()
    path.symlink_to("/proc/self/mem")


FAULTS = {"closed": close, "failing": fail}


def weight_files():
    uses = (read, load, load_weights, classify, evaluate)
    for suffix, use, (condition, fault) in itertools.product((".weights.h5", ".keras"), uses, FAULTS.items()):

        def prepare(folder, suffix=suffix, fault=fault):
            photos(folder)
            model = hostile_archives.tiny()
            model.save(folder / "w.keras") if suffix == ".keras" else model.save_weights(folder / "w.weights.h5")
            fault(folder / f"w{suffix}")

        yield Case(f"weights: w{suffix} is {condition}, by {use.__name__}", prepare, use, must="refused")


def photo_folders():
    for (condition, fault), part in itertools.product(FAULTS.items(), ("train", "val")):
        for count, must in ((4, "refused"), (202, "served")):

            def prepare(folder, part=part, count=count, fault=fault):
                write_folder(folder / "d", count)
                fault(folder / "d" / part / "a" / "000.png")

            yield Case(f"folder: one of {count} photos in {part} is {condition}", prepare, read_folder, must=must)
    for place, mode in itertools.product((".", "train", "val", "train/a", "val/b"), (CLOSED, NAMES_ONLY)):

        def prepare(folder, place=place, mode=mode):
            write_folder(folder / "d")
            close(folder / "d" / place, mode)

        yield Case(f"folder: {place} has the permissions {mode:o}", prepare, read_folder, must="refused")
        yield Case(
            f"folder: {place} has the permissions {mode:o}, by a recipe",
            prepare,
            lambda folder: program("recipes/imagenet.py", "--data", "d", "--workdir", "run"),
            ("run", "run/*") if place.startswith("val") else (),  # the photos of a validation are opened later
            "refused",
        )


def detection_sets():
    def coco(folder):
        for number in (1, 2):
            photo(folder / "d" / "train" / f"{number}.jpg")
        (folder / "d" / "train.json").write_text(json.dumps(coco_document()))

    def voc(folder):
        root = folder / "d" / "VOC2007"
        photo(root / "JPEGImages" / "1.jpg")
        for part in ("Annotations", "ImageSets/Main"):
            (root / part).mkdir(parents=True)
        (root / "Annotations" / "1.xml").write_text(voc_xml())
        (root / "ImageSets" / "Main" / "trainval.txt").write_text("1\n")

    sets = {
        "COCO": (coco, lambda: open_coco_sets("d"), ("train.json", "train/1.jpg"), (".", "train")),
        "VOC": (
            voc,
            lambda: open_voc_sets("d", None, "07", "none"),
            ("VOC2007/Annotations/1.xml", "VOC2007/ImageSets/Main/trainval.txt", "VOC2007/JPEGImages/1.jpg"),
            (".", "VOC2007", "VOC2007/Annotations", "VOC2007/ImageSets/Main", "VOC2007/JPEGImages"),
        ),
    }
    for kind, (write, opened, files, folders) in sets.items():
        faults = [(file, condition, fault) for file in files for condition, fault in FAULTS.items()]
        for place, condition, fault in [*faults, *((place, "closed", close) for place in folders)]:

            def prepare(folder, write=write, place=place, fault=fault):
                write(folder)
                fault(folder / "d" / place)

            yield Case(
                f"{kind}: {place} is {condition}",
                prepare,
                lambda folder, opened=opened: read_detection(opened()),
                must="refused",
            )


def record_sets():
    for file, (condition, fault) in itertools.product((records.MANIFEST, "train-0.tfrecord"), FAULTS.items()):

        def prepare(folder, file=file, fault=fault):
            manifest = write_records(folder / "d")
            (folder / "d" / records.MANIFEST).write_text(json.dumps(manifest))
            fault(folder / "d" / file)

        yield Case(f"records: {file} is {condition}", prepare, read_folder, must="refused")


def run_folders():
    def new(folder):
        Workdir(folder / "run", FULL)

    def by_recipe(folder):
        program("recipes/imagenet.py", "--workdir", "run")

    def by_study(folder):
        program("recipes/studies/degradation.py", "--workdir", "run")

    for use, mode in itertools.product((new, by_recipe, by_study), (READ_ONLY, CLOSED)):

        def prepare(folder, mode=mode):
            (folder / "run").mkdir()
            close(folder / "run", mode)

        yield Case(f"run: an empty folder of {mode:o}, by {use.__name__}", prepare, use, must="refused")
    for place, mode in itertools.product((".", "checkpoints"), (READ_ONLY, CLOSED)):

        def prepare(folder, place=place, mode=mode):
            run_of(folder / "run")
            close(folder / "run" / place, mode)

        name = f"run: {place} of a run has the permissions {mode:o}"
        yield Case(name, prepare, goes_on, ("run/metrics.csv",), "refused")


def caches():
    for mode, depth in itertools.product((READ_ONLY, CLOSED), ("", "keras_resnet", "keras_resnet/scans")):

        def prepare(folder, mode=mode, depth=depth):
            write_folder(folder / "d")
            place = folder / "cache" / depth
            place.mkdir(parents=True)
            close(place, mode)
            os.environ["XDG_CACHE_HOME"] = str(folder / "cache")

        name = f"cache: {depth or 'its parent'} has the permissions {mode:o}"
        yield Case(name, prepare, read_folder, ("cache/*",), "served")
        if "scans" not in depth:
            yield Case(f"{name}, for the demo set", prepare, lambda folder: open_data("demo"), must="refused")


def outputs():
    for mode, (tool, arguments) in itertools.product(
        (READ_ONLY, CLOSED),
        (
            ("evaluate", ("--model", "w.keras", "--data", "photos", "--json", "out/t.json")),
            ("export", ("--model", "w.keras", "--data", "photos", "--out", "out", "--formats", "saved-model")),
            ("convert_weights", ("w.keras", "out/w.npz")),
        ),
    ):

        def prepare(folder, mode=mode):
            photos(folder)
            hostile_archives.tiny().save(folder / "w.keras")
            (folder / "out").mkdir()
            close(folder / "out", mode)

        def use(folder, tool=tool, arguments=arguments):
            program(f"tools/{tool}.py", *arguments)

        yield Case(f"output: {tool} into a folder of {mode:o}", prepare, use, must="refused")


KINDS = (weight_files, photo_folders, detection_sets, record_sets, run_folders, caches, outputs)
