"""Answers by class in words; of plain values, so that a report of stored results needs no TensorFlow."""

from typing import Any

NAMED_PAIRS = 3


def in_words(found: dict[str, Any]) -> list[str]:
    """The most confused classes and the calibration of what ``ClassReport.as_json`` gives, a line each."""
    pairs, calibration = found["confused"][:NAMED_PAIRS], found["calibration"]
    confused = ", ".join("{class} taken for {answer} ({count})".format(**pair) for pair in pairs)
    return [
        f"balanced error {found['balanced_error']:.2f} %; most confused: {confused or 'none'}",
        f"expected calibration error {calibration['error']:.1f} %, "
        f"{calibration['error_at_temperature']:.1f} % at temperature {calibration['temperature']:.2f}",
    ]
