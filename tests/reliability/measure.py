"""Try hostile cases and count how they end.

    python tests/reliability/measure.py                          every family, a few cases each
    python tests/reliability/measure.py --cases 300 --json docs/results/reliability.json
    python tests/reliability/measure.py --families weights --only torch --verbose

Each family is a module of this folder with a list of cases from a seed. A case is kept if it ends in one sentence and
status 2, or is served as if nothing were wrong with it: no traceback, at most 10 s of processor time, at most 2 GiB,
no foreign file touched, no state changed by what was refused.
"""

import importlib
import os
import random
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

sys.path.insert(0, str(Path(__file__).parents[1]))  # what tests share
sys.path.insert(0, str(Path(__file__).parent))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
os.environ["TF_NUM_INTRAOP_THREADS"] = os.environ["TF_NUM_INTEROP_THREADS"] = "1"

import keras_resnet.data.image_statistics
import keras_resnet.data.pipelines  # these are for the forks, which need not import what is heavy again
import keras_resnet.detection.training.steps
import keras_resnet.evaluation.scoring
import keras_resnet.loading
import keras_resnet.training.running  # noqa: F401
from keras_resnet.bounds import Between
from keras_resnet.command_line import JsonFile, run_tool
from keras_resnet.tables import Table, write_tables

FAMILIES = {
    "weights": "hostile_weights",
    "run folders": "hostile_runs",
    "data": "hostile_data",
    "settings": "hostile_settings",
    "permissions": "hostile_permissions",
}
COLUMNS = ("family", "promised", "tried", "kept", "refused", "tracebacks", "hangs", "memory", "files or state")


@dataclass(frozen=True)
class Measure:
    """How many cases of which families."""

    families: tuple[Literal["weights", "run folders", "data", "settings", "permissions"], ...] = tuple(FAMILIES)
    """Which families."""
    cases: Annotated[int, Between(1, 100_000)] = 20
    """Cases a family, drawn evenly; each family's list may be shorter."""
    seed: Annotated[int, Between(0, 2**31 - 1)] = 0
    """Draws the cases."""
    only: str | None = None
    """Only cases whose name contains this."""
    verbose: bool = False
    """Print every case, not only those that are not kept."""
    json: JsonFile | None = None
    """A .json file for the table and what the cases that are not kept printed."""

    def run(self) -> None:
        table, failures = Table("hostile", COLUMNS), []
        with tempfile.TemporaryDirectory() as cache:
            os.environ["XDG_CACHE_HOME"] = cache
            table.print_header()
            for family in self.families:
                outcomes = list(self._outcomes(family))
                failures += [(family, each) for each in outcomes if not each.kept]
                table.add(family, *_counts(FAMILIES[family], outcomes))
        for family, each in failures:
            print(f"\n{family}: {each.case.name}: {each.kind}, {each.seconds:.1f} s, {each.gigabytes:.2f} GB")
            print(each.output.strip()[-2000:])
        broken = [{"family": family, "case": each.case.name, "kind": each.kind} for family, each in failures]
        write_tables(self.json, [table], broken=broken, seed=self.seed)
        if failures:
            sys.exit(1)

    def _outcomes(self, family: str):
        from watching import obey_permissions, watch

        obey_permissions()
        cases = importlib.import_module(FAMILIES[family]).cases(self.seed, self.cases)
        if self.only:
            cases = [case for case in cases if self.only in case.name]
        random.Random(self.seed).shuffle(cases)
        for case in cases[: self.cases]:
            outcome = watch(case)
            if self.verbose:
                sentence = (outcome.output.strip().splitlines() or [""])[-1][:300]
                print(f"{outcome.kind}, {outcome.seconds:.1f} s, {outcome.gigabytes:.2f} GB: {case.name}: {sentence}")
            yield outcome


def _counts(module: str, outcomes: list) -> list[str]:
    kinds = Counter(each.kind for each in outcomes)
    touched = sum(kinds[kind] for kind in ("files touched", "state changed", "not refused", "not served"))
    promised = importlib.import_module(module).PROMISE
    kept = sum(each.kept for each in outcomes)
    endings = (kinds[kind] for kind in ("refused", "traceback", "hang", "memory"))
    return [promised, *map(str, (len(outcomes), kept, *endings, touched))]


if __name__ == "__main__":
    run_tool(Measure, __doc__)
