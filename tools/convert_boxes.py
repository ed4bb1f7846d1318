"""Convert boxes of YOLO, a CSV file, VOC or a tool's export into COCO's format.

    python tools/convert_boxes.py FOLDER --out coco       train.json with train/, val.json with val/, and so on
    python tools/convert_boxes.py boxes.csv --out coco

FOLDER is anything with boxes that recipes/coco.py takes as --data, or VOC's devkit. Photos are copied, and called by
their numbers. Of files in COCO's format everything else remains as it is, except that outlines are left out.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tqdm
from tyro.conf import Positional

from keras_resnet.command_line import Folder, run_tool
from keras_resnet.errors import InputError
from keras_resnet.files import write_json, write_whole

if TYPE_CHECKING:
    from keras_resnet.detection import DetectionData


@dataclass(frozen=True)
class ConvertBoxes:
    """What to convert, and into which folder."""

    data: Positional[str]
    """A folder with data.yaml, annotations in COCO's format or VOC2007, or a CSV file of boxes."""
    out: Folder
    """A new or empty folder."""

    def run(self) -> None:
        from keras_resnet.detection.data import found_detection_sets

        sets = found_detection_sets(self.data)
        if sets is None:
            raise InputError(
                f"{self.data} has no boxes in a known format: give a folder with data.yaml, or another one."
            )
        if self.out.exists() and any(self.out.iterdir()):
            raise InputError(f"--out {self.out} is not empty: give a new folder.")
        parts = {name: sets.part(name) for name in sets.openers}  # all of them, before anything is written
        for part in parts.values():
            _check(part)
        contents = {name: _copied(name, part, self.out) for name, part in parts.items()}
        for name, content in contents.items():  # once all photos are there: each file by itself is a data set
            part = parts[name]
            write_json(self.out / f"{name}.json", content, indent=None)
            boxes = f"{len(content['annotations']):,} boxes" if part.annotated else "no annotations"
            print(f"{self.out / name}.json: {len(part):,} photos, {boxes} of {len(part.classes):,} classes")


def _check(part: "DetectionData") -> None:
    """Raise :class:`InputError` if turning a photo keeps its size: COCO's files tell by the size alone."""
    from keras_resnet.detection.data.photos import SIDEWAYS

    for photo in part.photos:
        exchanges_sides = photo.orientation in SIDEWAYS and photo.height != photo.width
        if photo.orientation != 1 and not exchanges_sides:
            raise InputError(f"{photo.file} is turned by EXIF in a way that COCO's format cannot say: save it upright.")


def _copied(name: str, part: "DetectionData", out: Path) -> dict[str, Any]:
    """Copy the photos of a part, and return the content of its file."""
    (out / name).mkdir(parents=True, exist_ok=True)
    names = [f"{place:06d}{photo.file.suffix.lower()}" for place, photo in enumerate(part.photos)]
    pairs = zip(part.photos, names, strict=True)
    for photo, copy in tqdm.tqdm(pairs, f"copying {name}", len(names), unit=" photos", disable=None, leave=False):
        write_whole(out / name / copy, lambda path, photo=photo: shutil.copyfile(photo.file, path))
    return _content(part, names)


def _content(part: "DetectionData", names: Sequence[str]) -> dict[str, Any]:
    """The content of a COCO file of ``part``, whose photos are called ``names``.

    That of a COCO file remains as it is, but for outlines: scores depend on the areas of masks, and on boxes as stored.
    """
    from keras_resnet.detection.data.coco_data import coco_content

    if part.dataset is None:
        return dict(coco_content(part.photos, part.classes, names))
    called = {photo.id: name for photo, name in zip(part.photos, names, strict=True)}
    images = [image | {"file_name": called[image["id"]]} for image in part.dataset["images"]]
    content = part.dataset | {"images": images}
    if not part.annotated:
        del content["annotations"]
    return content


if __name__ == "__main__":
    run_tool(ConvertBoxes, __doc__)
