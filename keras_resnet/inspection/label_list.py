"""Labels that look wrong as a list: a page with pictures of the first, and a CSV file of all."""

import csv
import datetime
from collections.abc import Callable
from pathlib import Path

import numpy as np

from keras_resnet.evaluation.embeddings import Embeddings
from keras_resnet.evaluation.label_quality import LabelRanking
from keras_resnet.files import check_replaceable, write_text, write_whole
from keras_resnet.inspection.inspection_page import encoded
from keras_resnet.reporting.markup import document, figure, fragment, joined

MAX_SHOWN = 200  # photos on the page
COLUMNS = ("place", "path", "part", "label", "probability", "answer", "answer_probability", "suspect")


def write_label_list(
    name: str, ranking: LabelRanking, photos: Embeddings, picture: Callable[[int], np.ndarray], page: Path
) -> Path:
    """Write ``page``, an HTML file, and the CSV file beside it, whose path is returned.

    Args:
        name: of the data set.
        ranking: of the labels of ``photos``.
        photos: whose labels were ranked.
        picture: from a position among ``photos`` to a small picture, uint8 ``[height, width, 3]``.
        page: the file to write.
    """
    rows = [_row(place, int(position), ranking, photos) for place, position in enumerate(ranking.order, start=1)]
    shown = ranking.order[: min(ranking.suspects, MAX_SHOWN)].tolist()
    figures = [figure(encoded(picture(position)), _caption(rows[i]), "jpeg") for i, position in enumerate(shown)]
    more = f", the first {MAX_SHOWN} here" if ranking.suspects > MAX_SHOWN else ""
    intro = (
        f"{ranking.suspects:,} of {len(ranking.order):,} labels look wrong, the worst first{more}. "
        f"{datetime.date.today().isoformat()}."
    )
    words = (
        "Below each photo are its label and what it looks like, each with its probability. A rare view of a class "
        f"looks wrong too, so look before you change a label. {page.stem}.csv has all photos in this order."
    )
    body = joined([fragment("paragraph", words), fragment("sheet", figures)])
    text = document(f"Labels of {name} that look wrong", intro, [("labels", "The worst first", body)])
    table = table_beside(page)
    write_text(page, text)
    write_whole(table, lambda file: _write_rows(file, rows))
    return table


def table_beside(page: Path) -> Path:
    """The CSV file of the list whose page is ``page``; raises :class:`InputError` if it is a file of something else."""
    table = page.with_suffix(".csv")
    check_replaceable(table, ",".join(COLUMNS))
    return table


def _row(place: int, position: int, ranking: LabelRanking, photos: Embeddings) -> dict[str, object]:
    values = (
        place,
        str(photos.photos[position]),
        str(photos.parts[position]),
        str(photos.classes[photos.labels[position]]),
        f"{ranking.label_probabilities[position]:.6f}",
        str(photos.classes[ranking.answers[position]]),
        f"{ranking.answer_probabilities[position]:.6f}",
        "yes" if place <= ranking.suspects else "no",
    )
    return dict(zip(COLUMNS, values, strict=True))


def _caption(row: dict[str, object]) -> str:
    pairs = (("label", "probability"), ("answer", "answer_probability"))
    label, answer = (f"{row[name]} {float(str(row[probability])):.1%}" for name, probability in pairs)
    return f"{row['place']}. {label}; looks like {answer}; {row['path']} ({row['part']})"


def _write_rows(path: Path, rows: list[dict[str, object]]) -> None:
    with open(path, "w", newline="", encoding="utf-8", errors="backslashreplace") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
