"""Try hostile cases and count their outcomes.

    python tests/reliability/measure.py                          a few cases of every family
    python tests/reliability/measure.py --cases 300 --json docs/results/reliability.json
    python tests/reliability/measure.py --families weights --only torch --verbose

Each family is a module of this folder that makes cases from a seed. A case counts as kept if the input is refused with
one sentence and status 2, or is used normally: without a traceback, within 10 s of processor time and 2 GiB, with no
foreign file touched and no state changed by refused input.
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

sys.path.insert(0, str(Path(__file__).parents[1]))  # shared by the tests
sys.path.insert(0, str(Path(__file__).parent))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
os.environ["TF_NUM_INTRAOP_THREADS"] = os.environ["TF_NUM_INTEROP_THREADS"] = "1"

import keras_resnet.data.image_statistics
import keras_resnet.data.pipelines  # imported here so that the forks need not import it again
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
    "processes": "hostile_processes",
}
Family = Literal["weights", "run folders", "data", "settings", "permissions", "processes"]
COLUMNS = ("family", "promised", "tried", "kept", "refused", "tracebacks", "hangs", "memory", "files or state")


@dataclass(frozen=True)
class Measure:
    """Which cases to try."""

    families: tuple[Family, ...] = ("weights", "run folders", "data", "settings", "permissions")
    """The families; processes takes half a minute a case."""
    cases: Annotated[int, Between(1, 100_000)] = 20
    """Number of cases per family, drawn evenly; a family may have fewer."""
    seed: Annotated[int, Between(0, 2**31 - 1)] = 0
    """Seed by which the cases are drawn."""
    only: str | None = None
    """Try only cases whose names contain this."""
    verbose: bool = False
    """Print every case, not only failures."""
    json: JsonFile | None = None
    """JSON file for the table and the failures."""

    def run(self) -> None:
        table, failures = Table("hostile", COLUMNS), []
        with tempfile.TemporaryDirectory() as cache:
            os.environ["XDG_CACHE_HOME"] = cache
            table.print_header()
            for family in self.families:
                outcomes = list(self._outcomes(family))
                failures += [(family, outcome) for outcome in outcomes if not outcome.kept]
                table.add(family, *_counts(FAMILIES[family], outcomes))
        for family, outcome in failures:
            print(
                f"\n{family}: {outcome.case.name}: {outcome.kind}, {outcome.seconds:.1f} s, {outcome.gigabytes:.2f} GB"
            )
            print(outcome.output.strip()[-2000:])
        broken = [{"family": family, "case": failed.case.name, "kind": failed.kind} for family, failed in failures]
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
    kinds = Counter(outcome.kind for outcome in outcomes)
    touched = sum(kinds[kind] for kind in ("files touched", "state changed", "not refused", "not served"))
    promised = importlib.import_module(module).PROMISE
    kept = sum(outcome.kept for outcome in outcomes)
    endings = (kinds[kind] for kind in ("refused", "traceback", "hang", "memory"))
    return [promised, *map(str, (len(outcomes), kept, *endings, touched))]


if __name__ == "__main__":
    run_tool(Measure, __doc__)
