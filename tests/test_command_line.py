"""A tool first checks that it can write its files, and an error ends it with one sentence and status 2."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pytest
from tyro.conf import Positional

from keras_resnet.bounds import Between
from keras_resnet.command_line import Folder, JsonFile, Output, run_tool


@dataclass(frozen=True)
class Tool:
    """A tool."""

    target: Positional[Annotated[Path, Output(".a", ".b.c")]] = Path("x.a")
    json: JsonFile | None = None
    out: Folder | None = None
    count: Annotated[int, Between(1, 3)] = 1
    read: Path | None = None

    def run(self) -> None:
        if self.read:
            self.read.read_text()
        print("ran")


@pytest.fixture
def ended(tmp_path, monkeypatch, capsys):
    """A function from the tool's arguments to its status, output and errors; no files may be left behind."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "d.json").mkdir()
    (tmp_path / "file").write_text("")
    os.mkfifo(tmp_path / "p.json")

    def run(*words):
        monkeypatch.setattr("sys.argv", ["tools/tool.py", *words])
        before, status = sorted(tmp_path.rglob("*")), 0
        try:
            run_tool(Tool, "")
        except SystemExit as end:
            status = end.code
        assert sorted(tmp_path.rglob("*")) == before
        return (status, *capsys.readouterr())

    return run


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--json", "none/x.json"], "--json 'none/x.json' must be a .json file in an existing folder."),
        (["--json", "d.json"], "--json 'd.json' must be a .json file in an existing folder."),
        (["--json", "p.json"], "--json 'p.json' must be a .json file in an existing folder."),
        (["--json", "x.txt"], "--json 'x.txt' must be a .json file in an existing folder."),
        (["--json", "/proc/x.json"], "--json '/proc/x.json' cannot be written"),
        (["--json", f"{'x' * 251}.json"], "must be a path in UTF-8 of 1 to 4,096 bytes, at most 255 between slashes."),
        (["x.d"], "target 'x.d' must be a .a or .b.c file in an existing folder."),
        (["--out", "file"], "--out 'file' cannot be written (file is not a folder): choose another place."),
        (["--out=~/runs"], "--out '~/runs' would be in a folder called ~, because a shell replaces ~ at the beginning"),
        (["--json", "~/x.json"], "--json '~/x.json' would be in a folder called ~"),
        (["--out", "file/deep/er"], "file is not a folder): choose another place."),
        (["--count", "4"], "--count 4 must be a whole number from 1 to 3."),
        (
            ["--read", "none"],
            "none: No such file or directory: make sure that it exists, that you may use it",
        ),
    ],
)
def test_what_cannot_be_done_ends_in_one_sentence(ended, words, sentence):
    status, output, errors = ended(*words)
    assert (status, output) == (2, "")
    assert errors.startswith("tool.py: ")
    assert sentence in errors
    assert errors.count("\n") == 1


def test_what_can_be_written_is_only_tried(ended):
    assert ended("y.b.c", "--json", "x.json", "--out", "new/and/deeper") == (0, "ran\n", "")


def test_a_program_prints_names_that_are_no_utf_8(tmp_path):
    (tmp_path / "names.py").write_text(
        "import os\nfrom keras_resnet.command_line import attempt\n"
        "raise SystemExit(attempt(lambda: print(os.fsdecode(b'caf\\xe9.jpg')), str))\n"
    )
    done = subprocess.run([sys.executable, tmp_path / "names.py"], capture_output=True)
    assert (done.returncode, done.stdout) == (0, b"caf\\udce9.jpg\n"), done.stderr


def test_a_program_may_print_into_a_pipe_that_took_the_place_of_a_file(tmp_path):
    """As of a worker in a fork, whose parent printed into a file."""
    (tmp_path / "piped.py").write_text(
        "import os\nfrom keras_resnet.command_line import attempt\n"
        "reader, writer = os.pipe()\nos.dup2(writer, 1)\n"
        "status = attempt(lambda: print('a line', flush=True), str)\n"
        "raise SystemExit(status or os.read(reader, 100) != b'a line\\n')\n"
    )
    with (tmp_path / "printed").open("w") as file:
        file.write("before\n")
        file.flush()
        done = subprocess.run([sys.executable, tmp_path / "piped.py"], stdout=file, stderr=subprocess.PIPE)
    assert done.returncode == 0, done.stderr


def test_a_program_whose_output_is_no_longer_read_says_so(tmp_path):
    program = tmp_path / "loud.py"
    program.write_text(
        "from keras_resnet.command_line import attempt\n"
        "raise SystemExit(attempt(lambda: print('a line\\n' * 100_000), str))\n"
    )
    with subprocess.Popen([sys.executable, program], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        said = process.stderr.read().decode()
    assert (process.returncode, said) == (
        2,
        "loud.py: Nothing reads what this program prints any more, so it has stopped.\n",
    )
