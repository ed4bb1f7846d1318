"""One self-contained HTML page of the results below a folder: curves, figures, commands, and tables with the paper's.

python tools/report.py runs/
python tools/report.py runs/ --out results.html

The page opens offline in any browser.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from keras_resnet.command_line import Output, run_tool
from keras_resnet.reporting import write_page


@dataclass(frozen=True)
class Report:
    """The results, and the page to write."""

    folder: Annotated[Path, tyro.conf.Positional] = Path("runs")
    """The folder that holds runs, studies and analyses."""
    out: Annotated[Path, Output(".html")] | None = None
    """The page. Default: report.html in the folder."""

    def run(self) -> None:
        path = self.out or self.folder / "report.html"
        results = write_page(self.folder, path)
        counts = f"{len(results.runs)} runs, {len(results.studies)} studies, {len(results.instruments)} analyses"
        print(f"{counts} in {path}")


if __name__ == "__main__":
    run_tool(Report, __doc__)
