"""The result of a study in words: a table of its arms, and a sentence for each comparison."""

from keras_resnet.studies.study import MEASURES
from keras_resnet.tables import Table
from keras_resnet.training.cifar import BATCH_SIZE, IMAGE_SIZE, STEPS
from keras_resnet.wording import counted

PAPER_IMAGES = STEPS * BATCH_SIZE  # that the paper's training sees
HEADER = ("arm", "parameters", "multiply-adds", "training error", "validation error", "best", "paper (test)")


def about(result: dict) -> str:
    """The length and number of runs, the data and the hardware."""
    machines = dict.fromkeys(run["hardware"] for arm in result["arms"].values() for run in arm["runs"])
    return f"{length(result)}, {' and '.join(machines) or result['hardware']}"


def length(result: dict) -> str:
    """The length and number of runs, the data, and the precision if it is not float32."""
    share = f"{100 * result['steps'] * result['batch_size'] / PAPER_IMAGES:.3g} % of the paper's images"
    count = result.get("train_images")
    data = f"{count:,} training images of {result['data']}" if count else result["data"]
    size = result.get("image_size", IMAGE_SIZE)
    data += f" at {size} pixels" if size != IMAGE_SIZE else ""
    rate = f", rate {result['base_lr']:g} at 128" if "base_lr" in result else ""
    precision = result.get("precision", "float32")
    return (
        f"{result['steps']:,} steps of {result['batch_size']} ({share}){rate}, {data}"
        f"{f', {precision}' if precision != 'float32' else ''}, {counted(result['seeds'], 'seed')}"
    )


def table(result: dict) -> list[tuple[str, ...]]:
    """Rows for the columns of ``HEADER``; errors are in percent, as mean ± standard deviation over the seeds."""
    rows = []
    images = result.get("train_images")
    for name, arm in result["arms"].items():
        parameters = f"{arm['parameters']:,}" + (f" ({arm['parameters'] / images:,.0f} an image)" if images else "")
        errors = [mean_words(arm["train_error"]), mean_words(arm["val_error"]), _percent(arm["val_error"]["best"])]
        rows.append((name, parameters, f"{arm['multiply_adds']:,}", *errors, _percent(arm["paper"])))
    for name, cost in result["costed"].items():
        counts = f"{cost['parameters']:,}", f"{cost['multiply_adds']:,}"
        rows.append((name, *counts, "not trained", "not trained", "", ""))
    return rows


def verdicts(result: dict) -> list[str]:
    """A sentence for each comparison: difference, interval, p, and whether it is decisive."""
    sentences = []
    for row in result["comparisons"]:
        interval = "no interval" if row["interval"] is None else "{:+.2f} to {:+.2f}".format(*row["interval"])
        p = "" if row["p"] is None else f", p = {row['p']:.2g}"
        paired = ", paired by seed" if row.get("paired") else ""
        sentences.append(
            f"{row['first']} - {row['second']}: {row['difference']:+.2f} ({interval}{p}{paired}): {row['words']}"
        )
    return sentences


def tested(result: dict) -> str:
    """What is compared, after which length of training, and by which tests."""
    measure, count = MEASURES[result["measure"]].capitalize(), len(result["comparisons"])
    trained = f"{result['steps']:,} steps of {result['batch_size']}"
    return f"{measure} after {trained}; 95 % intervals that hold for all {count} at once, by Welch's test or by seed:"


def plan_sentence(plan: dict) -> str:
    """How many seeds are needed to detect half a point, and how long they take."""
    power = f"a difference of {plan['difference']:g} points is found four times in five by"
    cost = (
        f"{plan['seeds']} seeds an arm, {plan['hours']:.3g} hours of runs in all"
        if plan["seeds"]
        else "no number of seeds up to 1,000"
    )
    return (
        f"Runs of an arm differ by a standard deviation of {plan['std']:.2f} points (all compared arms together, "
        f"{plan['freedom']} degrees of freedom): {power} {cost}."
    )


def report(result: dict) -> list[str]:
    """The whole report as lines of Markdown."""
    arms = Table(result["study"], HEADER, table(result))
    lines = [result["question"], about(result), "", *arms.markdown().splitlines()]
    if result["comparisons"]:
        lines += ["", tested(result), *(f"- {sentence}" for sentence in verdicts(result))]
    if result.get("plan"):
        lines += ["", plan_sentence(result["plan"])]
    return lines


def mean_words(values: dict) -> str:
    """Mean and, of several runs, standard deviation; "not run" without any."""
    if values["mean"] is None:
        return "not run"
    return f"{values['mean']:.2f}" + ("" if values["std"] is None else f" ± {values['std']:.2f}")


def _percent(value) -> str:
    return "" if value is None else f"{value:.2f}"
