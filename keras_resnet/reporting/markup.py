"""One HTML page with everything in it: its style, tables, and pictures as data; no script, nothing from elsewhere."""

import base64
import html
from collections.abc import Iterable, Sequence

STYLE = """
:root { color-scheme: light dark; --line: #8884; }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; font-size: 0.9rem; }
th, td { border-bottom: 1px solid var(--line); padding: 0.3rem 0.7rem; text-align: right; }
th:first-child, td:first-child { text-align: left; }
.wide { overflow-x: auto; }
img { max-width: 100%; background: white; border-radius: 4px; }
figure { margin: 1rem 0; } figcaption { font-size: 0.9rem; opacity: 0.8; }
code { font-size: 0.85rem; overflow-wrap: anywhere; } nav a { margin-right: 1rem; }
section { border-top: 2px solid var(--line); margin-top: 2.5rem; }
"""


def document(title: str, intro: str, sections: Sequence[tuple[str, str, str]]) -> str:
    """A whole page.

    Args:
        title: of the page, in words.
        intro: the sentence below it.
        sections: name, title and HTML of each; the names are unique.
    """
    links = "".join(f'<a href="#{name}">{html.escape(heading)}</a>' for name, heading, _ in sections)
    bodies = "".join(
        f'<section id="{name}"><h2>{html.escape(heading)}</h2>{body}</section>' for name, heading, body in sections
    )
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width"><title>keras_resnet: {html.escape(title)}</title>'
        f"<style>{STYLE}</style></head><body><h1>{html.escape(title)}</h1><p>{html.escape(intro)}</p>"
        f"<nav>{links}</nav>{bodies}</body></html>\n"
    )


def figure(picture: bytes, caption: str, kind: str = "png") -> str:
    """A picture, the bytes of a PNG or, with ``kind`` ``"jpeg"``, of a JPEG file, above its caption."""
    source = f"data:image/{kind};base64," + base64.b64encode(picture).decode()
    words = html.escape(caption)
    return f'<figure><img src="{source}" alt="{words}"><figcaption>{words}</figcaption></figure>'


def html_table(header: Iterable[object], rows: Iterable[Iterable[object]]) -> str:
    """A table of texts; all columns but the first are aligned to the right."""

    def cells(kind: str, values: Iterable[object]) -> str:
        return "".join(f"<{kind}>{html.escape(str(value))}</{kind}>" for value in values)

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f'<div class="wide"><table><thead><tr>{cells("th", header)}</tr></thead><tbody>{body}</tbody></table></div>'


def html_list(sentences: Iterable[str]) -> str:
    """Sentences as the points of a list."""
    return f"<ul>{''.join(f'<li>{html.escape(sentence)}</li>' for sentence in sentences)}</ul>"
