"""The documentation builds without a warning, has every public name, and loads nothing from elsewhere."""

import os
import re
import subprocess
import sys

import pytest
from conftest import ROOT

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_reference_has_every_name_of_the_packages(site):
    for stub in sorted((ROOT / "keras_resnet").glob("*/__init__.pyi")):
        page = site / "reference" / f"keras_resnet.{stub.parent.name}.html"
        if page.exists():
            text = page.read_text()
            names = re.findall(
                r"as (\w+)[,\n]", re.sub(r"from \. import \([^)]*\)|from \. import .*", "", stub.read_text())
            )
            assert [name for name in names if f".{name}" not in text and f"<code>{name}</code>" not in text] == []


def test_nothing_is_loaded_from_elsewhere(site):
    for page in site.rglob("*.html"):
        loaded = re.findall(
            r"<(?:script|img|iframe)[^>]+src=\"(https?:)?//|<link[^>]+href=\"https?://", page.read_text()
        )
        assert not loaded, page.name


def test_links_to_files_outside_the_pages_are_names(site):
    assert not [page.name for page in site.rglob("*.html") if "OUTSIDE:" in page.read_text()]
    assert 'href="own_photos.html"' in (site / "index.html").read_text()
