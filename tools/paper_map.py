"""Writes what docs/ has from docs/results/: docs/paper.md, and the measured tables of the other pages and the README.

python tools/paper_map.py
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from keras_resnet.command_line import Output, run_tool
from keras_resnet.files import write_whole
from keras_resnet.reporting import filled, markdown

ROOT = Path(__file__).parents[1]
DOCS, RESULTS = ROOT / "docs", ROOT / "docs" / "results"


@dataclass(frozen=True)
class PaperMap:
    """Where it goes."""

    out: Annotated[Path, Output(".md")] = DOCS / "paper.md"
    """The page of the paper's tables, figures and the review's points."""

    def run(self) -> None:
        text = markdown(RESULTS)
        write_whole(self.out, lambda part: part.write_text(text, encoding="utf-8"))
        print(f"{text.count('| not run |')} rows not run, in {self.out}")
        for page in (ROOT / "README.md", *DOCS.glob("*.md")):
            text = page.read_text(encoding="utf-8")
            new = filled(text, RESULTS)
            if new != text:
                write_whole(page, lambda part, new=new: part.write_text(new, encoding="utf-8"))
                print(f"measured tables in {page}")


if __name__ == "__main__":
    run_tool(PaperMap, __doc__)
