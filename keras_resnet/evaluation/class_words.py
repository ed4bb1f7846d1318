"""Answers by class in words; of plain values, so that a report of stored results needs no TensorFlow."""

from typing import Any

NAMED_PAIRS = 3


def in_words(by_class: dict[str, Any]) -> list[str]:
    """Lines on the most confused classes and the calibration, from the values of ``ClassReport.as_json``."""
    pairs, calibration = by_class["confused"][:NAMED_PAIRS], by_class["calibration"]
    confused = ", ".join("{class} taken for {answer} ({count})".format(**pair) for pair in pairs)
    return [
        f"balanced error {by_class['balanced_error']:.2f} %; most confused: {confused or 'none'}",
        f"expected calibration error {calibration['error']:.1f} %, "
        f"{calibration['error_at_temperature']:.1f} % at temperature {calibration['temperature']:.2f}",
    ]
