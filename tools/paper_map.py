"""Writes docs/paper.md: every table, figure and point of the review, with its command, the paper's value and ours.

python tools/paper_map.py
"""

import os
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from keras_resnet.command_line import run_tool
from keras_resnet.files import write_whole
from keras_resnet.reporting import markdown

DOCS = Path(__file__).parents[1] / "docs"


@dataclass(frozen=True)
class PaperMap:
    """Where it goes."""

    out: Path = DOCS / "paper.md"
    """The page."""

    def run(self) -> None:
        text = markdown(DOCS / "results")
        write_whole(self.out, lambda part: part.write_text(text, encoding="utf-8"))
        print(f"{text.count('| not run |')} rows not run, in {self.out}")


if __name__ == "__main__":
    run_tool(PaperMap, __doc__)
