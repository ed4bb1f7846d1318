"""Write docs/paper.md, and the measured tables of the README and the other pages, from docs/results/.

python tools/paper_map.py
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from keras_resnet.command_line import Output, run_tool
from keras_resnet.files import write_text
from keras_resnet.programs import checkout
from keras_resnet.reporting import filled, markdown


@dataclass(frozen=True)
class PaperMap:
    """The page to write."""

    out: Annotated[Path, Output(".md")] | None = None
    """The page of the paper's tables and figures and the questions that it leaves open. Default: docs/paper.md."""

    def run(self) -> None:
        root = checkout("Writing docs/")
        docs, results = root / "docs", root / "docs" / "results"
        text, out = markdown(results), self.out or docs / "paper.md"
        write_text(out, text)
        print(f"{text.count('| not run |')} rows not run, in {out}")
        for page in (root / "README.md", *docs.glob("*.md")):
            text = page.read_text(encoding="utf-8")
            new = filled(text, results)
            if new != text:
                write_text(page, new)
                print(f"measured tables in {page}")


if __name__ == "__main__":
    run_tool(PaperMap, __doc__)
