"""Look into a data set before anything is trained on it: one HTML page, and the same as JSON.

    python tools/inspect_data.py DIR                        photos by class, sizes, what does not decode, copies, sheets
    python tools/inspect_data.py photos.csv --out look.html
    python tools/inspect_data.py DIR                        with data.yaml or train.json: boxes by class and size

DIR is anything with photos in files that recipes take as --data. The page begins with what to do about what was found,
and opens offline, in any browser.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional

from keras_resnet.command_line import Output, run_tool
from keras_resnet.data.dividing import BY_SHARE, Division


@dataclass(frozen=True)
class InspectData:
    """What to look into."""

    data: Positional[str]
    """Class folders, or train/ and val/ with them, a CSV file of path,label[,split], a detection set in any
    format, or demo."""
    out: Annotated[Path, Output(".html")] = Path("inspection.html")
    """The page; the JSON file is put beside it."""
    division: Division = BY_SHARE
    """How photos without a split are divided."""

    def run(self) -> None:
        from keras_resnet import inspection
        from keras_resnet.data import open_data

        inspection.data_beside(self.out)
        sets = None
        if Path(self.data).expanduser().exists():  # a missing folder is refused before this loads TensorFlow
            from keras_resnet.detection.data import found_detection_sets

            sets = found_detection_sets(self.data)
        if sets is not None:
            self.division.refuse_if_given(self.data)
            findings = inspection.inspect_boxes(sets)
        else:
            opened = open_data(self.data, None, self.division)
            findings = inspection.inspect_photos(opened)
        data = inspection.write_inspection(findings, self.out)
        print(f"{findings.name}: {findings.summary}\n")
        print("\n".join(f"- {sentence}" for sentence in findings.advice))
        print(f"\n{self.out} shows it, and {data} has it as data")


if __name__ == "__main__":
    run_tool(InspectData, __doc__)
