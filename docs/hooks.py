"""What the site adds to ``docs/``: pages made of other files, and links that hold without a checkout.

MkDocs calls the functions, as ``mkdocs.yml`` says; griffe uses the extension.
"""

import ast
import json
import posixpath
import re
from pathlib import Path
from typing import Any

import griffe
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
COPIED = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md",
          "SECURITY.md": "security.md"}  # fmt: skip
PACKAGES = ["keras_resnet", *(f"keras_resnet.{name}" for name in (
    "analysis", "data", "detection", "evaluation", "inspection", "localization", "reporting", "studies", "training",
    "weights"
))]  # fmt: skip
LINK = re.compile(r"(\]\()(?!https?:|#|mailto:)([^)\s#]+)(#[^)\s]*)?(\))")
CODE_LINK = re.compile(r"!?\[([^\]]*)\]\(OUTSIDE:([^)]*)\)")
ROLE = re.compile(r":(?:class|func|meth|attr|mod):`~?([^`]+)`")
SEVERAL = re.compile(r"^( {4})(\w+), (\w[\w, ]*): ", re.M)
BUILDER = re.compile(r"(ResNet|PlainNet)\d+")
PROVENANCE = ("command", "commit", "hardware")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the README and its neighbours, the reference of each package, and the list of stored results."""
    pages = {name: (ROOT / source).read_text() for source, name in COPIED.items()}
    pages |= {f"reference/{name}.md": reference(name) for name in PACKAGES}
    pages["results.md"] = ledger()
    for name, content in pages.items():
        files.append(File.generated(config, name, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Point links to pages of the site; what is only in the repository is named instead of linked to."""
    name = page.file.src_uri
    source = next((path for path, copy in COPIED.items() if copy == name), f"docs/{name}")

    def moved(match: re.Match) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(source), match[2]))
        target = COPIED.get(target, target.removeprefix("docs/") if target.startswith("docs/") else "")
        if not target or files.get_file_from_path(target) is None:
            return f"](OUTSIDE:{match[2]})"
        return f"]({posixpath.relpath(target, posixpath.dirname(name) or '.')}{match[3] or ''})"

    return CODE_LINK.sub(lambda match: match[1], LINK.sub(moved, markdown))


def reference(package: str) -> str:
    """The page of a package: its docstring, and every name of its ``__init__.pyi``."""
    about = ast.get_docstring(ast.parse((folder_of(package) / "__init__.py").read_text())) or ""
    lines = [f"# {package}", "", ROLE.sub(r"`\1`", about), ""]
    names = public_names(package)
    builders = [f"`{name}`" for name in names if BUILDER.fullmatch(name)]
    if builders:
        lines += [f"Builders with the arguments of `keras.applications`: {', '.join(builders)}.", ""]
    elsewhere = tuple(f"{other}." for other in PACKAGES[1:] if not package.startswith(other))
    for name, module in names.items():
        if module.startswith(elsewhere):
            lines += [f"`{name}`: see [{name}][{module}.{name}].", ""]
        elif not BUILDER.fullmatch(name):
            lines += [f"::: {module}.{name}", ""]
    return "\n".join(lines)


def public_names(package: str) -> dict[str, str]:
    """The names that a package's ``__init__.pyi`` lists, and the module in which each is written."""
    names = {}
    for statement in ast.parse((folder_of(package) / "__init__.pyi").read_text()).body:
        if isinstance(statement, ast.ImportFrom) and statement.module:
            module = f"{package}.{statement.module}"
            inner = public_names(module) if folder_of(module).is_dir() else {}
            names |= {alias.name: inner.get(alias.name, module) for alias in statement.names}
    return names


def folder_of(package: str) -> Path:
    return ROOT.joinpath(*package.split("."))


def ledger() -> str:
    """A table of the files in ``docs/results/``, with the command, commit and processor of each."""
    lines = [
        "# Stored results",
        "",
        "Every number in these pages comes from one of these files.",
        "",
        "| file | command | commit | processor | seeds |",
        "|---|---|---|---|---|",
    ]
    for path in sorted((ROOT / "docs" / "results").glob("*.json")):
        result = json.loads(path.read_text())
        command, commit, processor = (str(result.get(key) or "") for key in PROVENANCE)
        seeds = result.get("seeds", result.get("settings", {}).get("seed", ""))
        cells = f"[{path.stem}](results/{path.name})", f"`{command}`", commit[:9], processor, str(seeds)
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


class HouseStyle(griffe.Extension):
    """Shows ``:func:`name``` as the name alone, Fields as a table, and names described together in one row."""

    def on_object(self, *, obj: griffe.Object, **kwargs: Any) -> None:
        if obj.docstring:
            text = ROLE.sub(r"`\1`", obj.docstring.value)
            text = SEVERAL.sub(r"\1\2: and `\3`: ", text)
            obj.docstring.value = re.sub(r"^Fields:$", "Attributes:", text, flags=re.M)
