"""One HTML page with everything in it, of the parts that ``page.html.jinja`` has; nothing is loaded from elsewhere."""

import base64
import functools
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from markupsafe import Markup

TEMPLATE = "page.html.jinja"


def fragment(name: str, *values: Any) -> "Markup":
    """The fragment ``name`` of the template; texts among ``values`` are escaped, fragments are taken as they are."""
    return getattr(_template(), name)(*values)


def document(title: str, intro: str, sections: Sequence[tuple[str, str, "Markup"]]) -> str:
    """A whole page.

    Args:
        title: of the page, in words.
        intro: the sentence below it.
        sections: name, title and body of each; the names are unique.
    """
    return str(fragment("document", title, intro, sections)).strip() + "\n"


def figure(picture: bytes, caption: str, kind: str = "png") -> "Markup":
    """A picture, the bytes of a PNG or, with ``kind`` ``"jpeg"``, of a JPEG file, above its caption."""
    return fragment("figure", f"data:image/{kind};base64,{base64.b64encode(picture).decode()}", caption)


def html_table(header: Iterable[object], rows: Iterable[Iterable[object]]) -> "Markup":
    """A table of texts, which a click on a column's head sorts; all columns but the first are aligned to the right."""
    return fragment("table", list(header), [list(row) for row in rows])


def html_list(sentences: Iterable[str]) -> "Markup":
    """Sentences as the points of a list."""
    return fragment("points", list(sentences))


def joined(parts: Iterable["Markup"]) -> "Markup":
    """Parts one after another."""
    from markupsafe import Markup

    return Markup("").join(parts)


@functools.cache
def _template() -> Any:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("keras_resnet.reporting", package_path="")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined).get_template(TEMPLATE).module
