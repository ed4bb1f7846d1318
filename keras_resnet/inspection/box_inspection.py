"""What lies in a detection data set: boxes by class and size against the anchors, and boxes that are probably wrong."""

from typing import TYPE_CHECKING, Any

from keras_resnet.detection.anchor_fitting import fit_anchors
from keras_resnet.detection.data import DetectionData, DetectionSets, content_hashes
from keras_resnet.detection.data.box_advice import box_advice, reach_by_size
from keras_resnet.detection.data.box_sheet import drawn_boxes
from keras_resnet.detection.data.box_statistics import SIZES, box_statistics, seen_boxes
from keras_resnet.detection.training.defaults import in_words, photo_size
from keras_resnet.detection.training.detection_settings import DEFAULT_HEAD, DetectionSettings
from keras_resnet.errors import InputError
from keras_resnet.inspection.inspection_page import Inspection, encoded
from keras_resnet.reporting.markup import figure, fragment, html_table, joined
from keras_resnet.wording import are, counted

if TYPE_CHECKING:
    from markupsafe import Markup


def inspect_boxes(sets: DetectionSets) -> Inspection:
    """Look at all boxes of all parts of ``sets`` and draw some photos with theirs.

    Photos are seen, and anchors fitted, as a run of ``recipes/coco.py`` does by default.

    Raises:
        InputError: a part cannot be read, or no part has boxes.
    """
    parts = {name: sets.part(name) for name in sets.openers}
    parts = {name: part for name, part in parts.items() if part.annotated}
    if not parts:
        raise InputError(f"{sets.name} has no part with boxes: give the annotations of its photos.")
    learned = parts.get("train", next(iter(parts.values())))
    size = photo_size(DetectionSettings(head=DEFAULT_HEAD), learned)
    proposals = fit_anchors(seen_boxes(learned, size))
    contents = {name: box_statistics(part, size, proposals) for name, part in parts.items()}
    classes = learned.classes
    counts = ", ".join(
        f"{content['photos']:,} photos with {content['boxes']:,} boxes in {name}" for name, content in contents.items()
    )
    summary = f"{len(classes):,} classes; {counts}."
    copies = _copies(parts)
    advice = [*_about_copies(copies), f"A run is made for them: {in_words(learned, size, proposals)}."]
    for name, content in contents.items():
        advice += box_advice(name, content)
    return Inspection(sets.name, summary, advice, {"parts": contents, "copies": copies}, _sections(parts, contents))


def _copies(parts: dict[str, DetectionData]) -> list[dict[str, str]]:
    """Photos whose files are in two parts."""
    seen: dict[int, tuple[str, str]] = {}
    copies = []
    for name, part in parts.items():
        for photo, content in zip(part.photos, content_hashes(part).tolist(), strict=True):
            before = seen.setdefault(content, (name, str(photo.file)))
            if before[0] != name and content:
                copies.append({before[0]: before[1], name: str(photo.file)})
    return copies


def _about_copies(copies: list[dict[str, str]]) -> list[str]:
    if not copies:
        return []
    where = " and ".join(f"{file} ({part})" for part, file in copies[0].items())
    return [
        f"{counted(len(copies), 'photo')} {are(len(copies))} in two parts, such as {where}: scores will look too good."
    ]


def _sections(parts: dict[str, DetectionData], contents: dict[str, dict[str, Any]]) -> "list[tuple[str, str, Markup]]":
    header = ("class", "boxes", "photos", *SIZES, "far from anchors")
    sections = []
    for name, part in parts.items():
        content = contents[name]
        rows = [(class_name, *about.values()) for class_name, about in content["classes"].items()]
        words = "Sizes are COCO's: below 32², below 96² square pixels, and above. Far from anchors: no overlap of 50 %."
        reach = reach_by_size(content)
        tables = [html_table(header, rows), html_table(reach.columns, reach.rows)]
        sections.append(
            (f"{name}-classes", f"Boxes of {name} by class", joined([fragment("paragraph", words), *tables]))
        )
        figures = [
            figure(encoded(image), f"{photo.file}: {len(photo.objects.classes)} boxes", "jpeg")
            for photo, image in drawn_boxes(part)
        ]
        words = fragment("paragraph", "The photos of the rarest classes first.")
        sections.append((f"{name}-photos", f"Photos of {name}", joined([words, fragment("side_by_side", figures)])))
    return sections
