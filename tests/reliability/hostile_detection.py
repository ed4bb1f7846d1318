"""Annotations and lists of detection data that are damaged or come from a stranger."""

import itertools
import json
import os

from hostile_pieces import ODD_FILES, PHOTOS, PLAIN, SIDES, WRONG, photo, put
from watching import Case

from keras_resnet.detection import (
    ImageSize,
    detection_batches,
    open_coco_sets,
    open_det_sets,
    open_voc_sets,
    read_photos,
)
from keras_resnet.detection.training.photo_reading import readable, with_files
from keras_resnet.errors import in_our_words

COCO_PLACES = [
    ("images", 0, field) for field in ("id", "file_name", "height", "width")
] + [("categories", 0, field) for field in ("id", "name")] + [
    ("annotations", 0, field) for field in ("id", "image_id", "category_id", "bbox", "area", "iscrowd")
] + [("annotations", 0, "bbox", 2), (), ("images",), ("categories",), ("annotations",), ("images", 0),
     ("categories", 0), ("annotations", 0)]  # fmt: skip


def coco_document() -> dict:
    width, height = SIDES
    return {
        "images": [{"id": n, "file_name": f"{n}.jpg", "height": height, "width": width} for n in (1, 2)],
        "categories": [{"id": 1, "name": "dog"}],
        "annotations": [
            {"id": n, "image_id": n, "category_id": 1, "bbox": [1, 1, 4, 4], "area": 16, "iscrowd": 0} for n in (1, 2)
        ],
    }


def read_detection(sets) -> None:
    """Read photos and a batch as in training."""
    with in_our_words():  # as every command does
        data = with_files(sets.train, readable(sets.train))
        for _ in read_photos(data):
            pass
        next(iter(detection_batches(data, PLAIN, 1, ImageSize(32, 64))))


def coco_case(name: str, write, must=None) -> Case:
    def prepare(folder):
        for number in (1, 2):
            photo(folder / "d" / "train" / f"{number}.jpg")
        write(folder / "d" / "train.json")

    return Case(f"COCO: {name}", prepare, lambda folder: read_detection(open_coco_sets("d")), must=must)


def coco_fields(draw):
    for place, (description, literal) in itertools.product(COCO_PLACES, WRONG.items()):
        text = put(coco_document(), place, literal)
        leads_out = place[-1:] == ("file_name",) and description in ("a climbing name", "an absolute name")
        yield coco_case(
            f"{' '.join(map(str, place)) or 'the file'} is {description}",
            lambda path, text=text: path.write_text(text),
            "refused" if leads_out else None,
        )


def coco_files(draw):
    whole = json.dumps(coco_document()).encode()
    for share in (0, *(draw.random() for _ in range(6))):
        yield coco_case(
            f"cut at {share:.2f}", lambda path, share=share: path.write_bytes(whole[: int(share * len(whole))])
        )
    for number in range(6):
        at = draw.randrange(len(whole))
        changed = whole[:at] + bytes([draw.randrange(128, 256)]) + whole[at + 1 :]
        yield coco_case(
            f"byte {at} is no UTF-8 ({number})", lambda path, changed=changed: path.write_bytes(changed), "refused"
        )
    yield coco_case("a pipe", os.mkfifo, "refused")
    yield coco_case("a folder", lambda path: path.mkdir(), "refused")
    yield coco_case("a link to nothing", lambda path: path.symlink_to("nothing"), "refused")
    yield coco_case("a device", lambda path: path.symlink_to("/dev/zero"), "refused")
    double = coco_document()
    for part in ("images", "categories", "annotations"):
        content = double | {part: double[part] + double[part][:1]}
        yield coco_case(f"an id twice in its {part}", lambda path, c=content: path.write_text(json.dumps(c)), "refused")

    def other_file(make):
        def write(path):
            target = path.parent / "train" / "1.jpg"
            target.unlink()
            make(target)
            path.write_text(json.dumps(coco_document()))

        return write

    for name, make in PHOTOS.items():
        yield coco_case(f"its photo is {name}", other_file(make))


def voc_xml(**changed) -> str:
    values = {
        "width": SIDES[0],
        "height": SIDES[1],
        "name": "dog",
        "xmin": 1,
        "ymin": 1,
        "xmax": 6,
        "ymax": 5,
    } | changed
    box = "".join(f"<{key}>{values[key]}</{key}>" for key in ("xmin", "ymin", "xmax", "ymax"))
    size = "".join(f"<{key}>{values[key]}</{key}>" for key in ("width", "height"))
    name = f"<name>{values['name']}</name>"
    return f"<annotation><size>{size}</size><object>{name}<bndbox>{box}</bndbox></object></annotation>"


WORDS = ("", "-1", "0", "0.5", "nan", "inf", "1e308", "9" * 5000, "x" * 5000, "1 2", "&lt;", "&undefined;", "<a/>",
         "٣", "1_0", "0x10", "\udcff")  # fmt: skip
LAUGHS = (
    '<!DOCTYPE a [<!ENTITY a0 "ha">'
    + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 12))
    + "]><annotation><size><height>&a11;</height></size></annotation>"
)


def voc_case(name: str, xml: bytes | None = None, lists: bytes = b"1\n", must=None, make=None) -> Case:
    def prepare(folder):
        root = folder / "d" / "VOC2007"
        photo(root / "JPEGImages" / "1.jpg")
        for part in ("Annotations", "ImageSets/Main"):
            (root / part).mkdir(parents=True)
        (root / "Annotations" / "1.xml").write_bytes(voc_xml().encode() if xml is None else xml)
        (root / "ImageSets" / "Main" / "trainval.txt").write_bytes(lists)
        if make:
            make(root)

    return Case(
        f"VOC: {name}", prepare, lambda folder: read_detection(open_voc_sets("d", None, "07", "none")), must=must
    )


def voc_fields(draw):
    for field, word in itertools.product(("width", "height", "name", "xmin", "ymin", "xmax", "ymax"), WORDS):
        shown = ascii(word if len(word) < 20 else f"{word[0]} {len(word):,} times")
        yield voc_case(f"{field} is {shown}", voc_xml(**{field: word}).encode(errors="surrogateescape"))


def voc_files(draw):
    whole = voc_xml().encode()
    for share in (0, *(draw.random() for _ in range(8))):
        yield voc_case(f"XML cut at {share:.2f}", whole[: int(share * len(whole))])
    yield voc_case("a billion laughs", LAUGHS.encode(), must="refused")
    yield voc_case(
        "a file's content as an entity",
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + voc_xml(name="&x;").encode(),
    )
    yield voc_case("deep XML", b"<a>" * 100_000 + b"</a>" * 100_000, must="refused")
    yield voc_case("an unknown encoding", b'<?xml version="1.0" encoding="none"?>' + whole, must="refused")
    yield voc_case("the XML of another size", voc_xml(width=8, height=12).encode(), must="refused")
    for name in (b"../up", b"/etc/passwd", b"a\0b", b"x" * 5000, b"\xff\xfe", b"", b"2", b"1\n1", b"1 -1 extra"):
        yield voc_case(f"its list names {name[:20]!a}", lists=name + b"\n")
    for description, make in ODD_FILES.items():
        for place in ("Annotations/1.xml", "ImageSets/Main/trainval.txt", "JPEGImages/1.jpg"):

            def replace(root, make=make, place=place):
                (root / place).unlink()
                make(root / place)

            yield voc_case(f"{place} is {description}", make=replace, must="refused")


def det_lists(draw):
    for description, classes, names in (
        ("no classes", b"", b"a 1\n"), ("classes of one word", b"n01\n", b"a 1\n"), ("no names", b"n01 dog\n", b""),
        ("no UTF-8 classes", b"\xff x\n", b"a\n"), ("no UTF-8 names", b"n01 dog\n", b"\xff\n"),
        ("an absolute name", b"n01 dog\n", b"/etc/passwd\n"),
        ("a climbing name", b"n01 dog\n", b"../../up\n"), ("a negative number", b"n01 dog\n", b"a -1\n"),
        ("5,000 digits", b"n01 dog\n", b"a " + b"9" * 5000 + b"\n"), ("other digits", b"n01 dog\n", "a ²\n".encode()),
        ("5,000 characters", b"n01 dog\n", b"a" * 5000 + b"\n"), ("a class twice", b"dog dog\ndog cat\n", b"a 1\n"),
    ):  # fmt: skip

        def prepare(folder, classes=classes, names=names):
            root = folder / "d"
            photo(root / "Data/DET/val/a.JPEG")
            (root / "Annotations/DET/val").mkdir(parents=True)
            (root / "Annotations/DET/val/a.xml").write_text(voc_xml())
            (root / "classes.txt").write_bytes(classes)
            (root / "val1.txt").write_bytes(names)

        yield Case(f"DET: {description}", prepare, lambda folder: read_detection(open_det_sets("d")))
