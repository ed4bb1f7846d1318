"""Export a detector as a SavedModel, and compare it with the detector on photos before it is kept.

    python tools/export_detector.py photos/*.jpg --model best.keras --out exported

The SavedModel takes the bytes of a JPEG or PNG file and gives boxes in the photo's pixels, classes, their names and
scores; batch normalization is folded. On the photos, the boxes that score at least --score must agree with the
detector's to half a pixel and 0.001 of a score. Otherwise nothing is kept and the tool fails. Photos are read as they
are stored, not turned by their EXIF orientation.
"""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional

from keras_resnet.bounds import Between
from keras_resnet.command_line import Folder, run_tool
from keras_resnet.errors import InputError
from keras_resnet.wording import counted

PIXELS, SCORE = 0.5, 1e-3  # of a box and a score: the largest difference


@dataclass(frozen=True)
class ExportDetector:
    """The detector, the photos to compare on, and the folder to write."""

    photos: Positional[tuple[Path, ...]]
    """Photos to compare on."""
    model: Path
    """The detector, a .keras file of recipes/coco.py or voc.py."""
    out: Folder
    """The folder to write."""
    score: Annotated[float, Between(0.02, 1)] = 0.1
    """The least score of the boxes that are compared."""

    def run(self) -> None:
        from keras_resnet import detection
        from keras_resnet.data import augment

        if self.out.exists():
            raise InputError(f"{self.out} exists already: choose another --out, or remove it.")
        if not self.photos:
            raise InputError("Give at least one photo to compare on: export_detector.py PHOTO ... --model MODEL.")
        model = detection.load_detector(self.model)
        detector, photos = detection.Detector([model]), [augment.read_photo(path) for path in self.photos]
        self.out.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix="part-", dir=self.out.parent))
        try:
            detection.save_detector(model, part)
            served, count = detection.run_detector(part), 0
            for path, photo in zip(self.photos, photos, strict=True):
                expected, actual = detector(augment.decode_stored(photo).numpy(), path), served(photo)
                sure = [one.select(one.scores >= self.score) for one in (expected, actual)]
                boxes, scores = detection.difference(*sure)
                count += len(sure[0].boxes)
                if boxes > PIXELS or scores > SCORE:
                    raise InputError(
                        f"In {path} the boxes differ by {boxes:.2g} pixels and the scores by {scores:.1g}: nothing was "
                        "kept."
                    )
            part.chmod(0o755)  # mkdtemp makes it private
            part.rename(self.out)
        finally:
            shutil.rmtree(part, ignore_errors=True)
        print(f"{counted(count, 'box')} in {counted(len(photos), 'photo')} agree; written to {self.out}")


if __name__ == "__main__":
    run_tool(ExportDetector, __doc__)
