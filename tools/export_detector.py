"""Export a detector as a SavedModel or an ONNX file, and compare it with the detector on photos before it is kept.

    python tools/export_detector.py photos/*.jpg --model best.keras --out exported
    python tools/export_detector.py photos/*.jpg --model best.keras --formats saved-model onnx --out exported

The SavedModel takes the bytes of a JPEG or PNG file and gives boxes, classes, their names and scores; it sees photos
as a viewer shows them, turned by their EXIF orientation, and boxes are in pixels of the turned picture. model.onnx
takes a photo that is turned and resized already, and gives boxes in its pixels, classes and scores; its metadata have
the names and the size. In both, batch normalization is folded. On the photos, the boxes that score at least --score
must agree with the detector's to half a pixel and 0.001 of a score. Otherwise nothing is kept and the tool fails.
"""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import Positional

from keras_resnet.bounds import Between, Length
from keras_resnet.command_line import Folder, ModelFile, run_tool
from keras_resnet.errors import InputError
from keras_resnet.wording import counted

if TYPE_CHECKING:
    from keras_resnet.detection import Detections

PIXELS, SCORE = 0.5, 1e-3  # of a box and a score: the largest difference
ONNX = "model.onnx"


@dataclass(frozen=True)
class ExportDetector:
    """The detector, the photos to compare on, and the folder to write."""

    photos: Positional[tuple[Path, ...]]
    """Photos to compare on."""
    model: ModelFile
    """The detector, a .keras file of recipes/coco.py or voc.py."""
    out: Folder
    """The folder to write."""
    formats: Annotated[tuple[Literal["saved-model", "onnx"], ...], Length(1, 2)] = ("saved-model",)
    """What to write: saved-model onnx."""
    score: Annotated[float, Between(0.02, 1)] = 0.1
    """The least score of the boxes that are compared."""

    def run(self) -> None:
        from keras_resnet import detection
        from keras_resnet.data import decoding, plain_decoding

        if self.out.exists():
            raise InputError(f"{self.out} exists already: choose another --out, or remove it.")
        if not self.photos:
            raise InputError("Give at least one photo to compare on: export_detector.py PHOTO ... --model MODEL.")
        photos = [decoding.read_photo(path) for path in self.photos]
        for path, photo in zip(self.photos, photos, strict=True):
            if "saved-model" in self.formats and not plain_decoding.is_decodable(photo):
                raise InputError(f"The SavedModel reads JPEG and PNG files alone: leave {path} out, or convert it.")
        model = detection.load_detector(self.model)
        detector = detection.Detector([model])
        self.out.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix="part-", dir=self.out.parent))
        try:
            exported, count = {}, 0
            if "saved-model" in self.formats:
                detection.save_detector(model, part)
                exported["the SavedModel"] = detection.run_detector(part)
            if "onnx" in self.formats:
                detection.save_onnx(model, part / ONNX)
                exported[ONNX] = detection.run_onnx(part / ONNX)
            for path, photo in zip(self.photos, photos, strict=True):
                expected = detector(detection.decode_upright(photo), path)
                for name, served in exported.items():
                    self._compare(f"In {path} {name}", expected, served(photo))
                count += int((expected.scores >= self.score).sum())
            part.chmod(0o755)  # mkdtemp makes it private
            part.rename(self.out)
        finally:
            shutil.rmtree(part, ignore_errors=True)
        print(f"{counted(count, 'box')} in {counted(len(photos), 'photo')} agree; written to {self.out}")

    def _compare(self, where: str, expected: "Detections", actual: "Detections") -> None:
        """Raise :class:`InputError` if results that should be equal are not."""
        from keras_resnet import detection

        boxes, scores = detection.difference(*detection.above_a_gap(expected, actual, self.score, SCORE))
        if boxes > PIXELS or scores > SCORE:
            raise InputError(
                f"{where} has boxes that differ by {boxes:.2g} pixels and scores by {scores:.1g}: nothing was kept."
            )


if __name__ == "__main__":
    run_tool(ExportDetector, __doc__)
