"""What lies in a classification data set: photos by class, sizes, copies, what is left out; and what to do about it."""

import io
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from keras_resnet import plots
from keras_resnet.data import Data, augment, viewing
from keras_resnet.data.reading import read_regular
from keras_resnet.data.splits import evenly_spaced
from keras_resnet.inspection.facts import PhotoFacts
from keras_resnet.inspection.inspection_page import Inspection, jpeg
from keras_resnet.inspection.photo_advice import advice_on
from keras_resnet.inspection.photo_rows import Photos, photos_of
from keras_resnet.reporting.markup import figure, fragment, html_list, html_table, joined

if TYPE_CHECKING:
    from markupsafe import Markup

IN_A_SHEET, SIDE = 8, 112  # photos of a class, and pixels
MAX_SHEETS = 60  # classes
MAX_SHOWN = 30  # groups of copies that the page shows; the JSON file has all
QUANTILES = {"smallest": 0.0, "5 %": 0.05, "median": 0.5, "95 %": 0.95, "largest": 1.0}


def inspect_photos(data: Data) -> Inspection:
    """Look at every photo of ``data``.

    Raises:
        InputError: its parts cannot be used, or are not photos in files of their own.
    """
    photos = photos_of(data)
    sizes = ", ".join(f"{counts.sum():,} {part}" for part, counts in photos.counts.items())
    summary = f"{len(photos.files):,} photos ({sizes}) of {len(data.classes):,} classes."
    content = {
        "classes": {
            name: {part: int(counts[i]) for part, counts in photos.counts.items()}
            for i, name in enumerate(data.classes)
        },
        "left_out": [vars(files) for files in photos.left_out],
        "kinds": dict(Counter(photos.facts.kinds.tolist()).most_common()),
        "sizes": _quantiles(photos.facts),
        "exact_copies": [[photos.about(i) for i in group] for group in photos.copies.exact],
        "near_copies": [[photos.about(i) for i in group] for group in photos.copies.near],
    }
    return Inspection(data.name, summary, advice_on(photos), content, _sections(photos, content))


def _quantiles(facts: PhotoFacts) -> dict[str, list[float]]:
    shorter, longer = np.minimum(facts.heights, facts.widths), np.maximum(facts.heights, facts.widths)
    values = {"shorter side, pixels": shorter, "longer over shorter side": longer / np.maximum(shorter, 1)}
    return {name: np.quantile(numbers, list(QUANTILES.values())).round(2).tolist() for name, numbers in values.items()}


def _sections(photos: Photos, content: dict[str, Any]) -> "list[tuple[str, str, Markup]]":
    counts = photos.counts
    rows = [(name, *(f"{numbers[i]:,}" for numbers in counts.values())) for i, name in enumerate(photos.classes)]
    drawn = io.BytesIO()
    plots.photo_sizes(photos.facts.heights.tolist(), photos.facts.widths.tolist(), drawn)
    sizes = figure(drawn.getvalue(), "the sides of each photo as a viewer shows it")
    sizes += html_table(
        ("", *QUANTILES), [(name, *(f"{v:g}" for v in quantiles)) for name, quantiles in content["sizes"].items()]
    )
    sizes += html_table(("kind", "photos"), [(kind, f"{count:,}") for kind, count in content["kinds"].items()])
    sections = [
        ("classes", "Photos by class", html_table(("class", *counts), rows)),
        ("sizes", "Sizes and kinds", sizes),
    ]
    if photos.copies.exact:
        sections.append(("copies", "Copies", _copy_sheet(photos, photos.copies.exact)))
    if photos.copies.near:
        sections.append(("near", "Almost the same", _copy_sheet(photos, photos.copies.near)))
    if photos.left_out:
        sections.append(("left-out", "Left out", html_list(map(str, photos.left_out))))
    return [*sections, ("sheets", "Photos as the network sees them", _sheets(photos))]


def _copy_sheet(photos: Photos, groups: list[list[int]]) -> "Markup":
    more = f" These are the first {MAX_SHOWN} of {len(groups):,}." if len(groups) > MAX_SHOWN else ""
    shown = [fragment("paragraph", f"Each row is one group.{more}")]
    for group in groups[:MAX_SHOWN]:
        chosen = group[:IN_A_SHEET]
        words = "; ".join(f"{photos.names[i]} ({photos.parts[i]})" for i in chosen)
        pictures = [viewing.small_picture(read_regular(photos.files[i])[0], SIDE) for i in chosen]
        shown.append(figure(jpeg([pictures], SIDE), words, "jpeg"))
    return joined(shown)


def _sheets(photos: Photos) -> "Markup":
    counts = np.bincount(photos.labels, minlength=len(photos.classes))
    words = "Above as a viewer shows them; below one training view of each: scaled, cropped, mirrored and coloured."
    order = np.arange(len(counts))
    if len(order) > MAX_SHEETS:
        order = np.argsort(counts, kind="stable")[:MAX_SHEETS]
        words += f" These are the {MAX_SHEETS} smallest classes."
    shown = [fragment("paragraph", words)]
    for label in order:
        of_class = np.flatnonzero(photos.labels == label)
        chosen = of_class[evenly_spaced(len(of_class), IN_A_SHEET)]
        contents = [read_regular(photos.files[i])[0] for i in chosen]
        whole = [viewing.small_picture(content, SIDE) for content in contents]
        views = [_training_view(content, number) for number, content in enumerate(contents)]
        shown.append(figure(jpeg([whole, views], SIDE), f"{photos.classes[label]}, {len(of_class):,} photos", "jpeg"))
    return joined(shown)


def _training_view(encoded: bytes, number: int) -> Image.Image:
    """As the recipe augments it, before the mean is subtracted."""
    import tensorflow as tf

    seed = tf.constant([0, number], tf.int64)
    view = augment.scale_crop_flip(encoded, augment.fold(seed, 0), SIDE) + augment.colour_shift(augment.fold(seed, 1))
    return Image.fromarray(np.clip(np.rint(view), 0, 255).astype(np.uint8))
