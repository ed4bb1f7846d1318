"""A folder of photos as people have it, made messy on purpose, with a list of what is wrong with it."""

import shutil
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

CLASSES = {  # names with spaces and of other scripts, by class of imagenette
    "n01440764": "tench",
    "n02102040": "English springer",
    "n02979186": "cassette player",
    "n03028079": "教会",
    "n03417042": "garbage truck",
    "n03888257": "парашют",
}
RARE = "парашют"
EACH, RARELY = 58, 6  # photos: 5 of 58 and one of 6, about ten times rarer; with 4 odd formats 300
BROKEN, COPIES, WRONG = 3, 5, 12  # 4 % of 300


@dataclass
class Messy:
    """The folder, and by path below it what was done."""

    folder: Path
    broken: list[str] = field(default_factory=list)
    copies: list[tuple[str, str]] = field(default_factory=list)
    wrong: dict[str, str] = field(default_factory=dict)  # to the true class
    others: list[str] = field(default_factory=list)


def make_messy(photos: Path, folder: Path, seed: int = 0) -> Messy:
    """Copy 300 photos of six classes of ``photos``, imagenette's ``train``, into ``folder`` and spoil some."""
    rng, messy = np.random.default_rng(seed), Messy(folder)
    good = []
    for wnid, name in CLASSES.items():
        place = folder / name
        (place / "2023" / "summer trip").mkdir(parents=True)
        count = RARELY if name == RARE else EACH
        for number, file in enumerate(sorted((photos / wnid).iterdir())[:count]):
            nested = place / "2023" / "summer trip" if number % 7 == 6 else place
            target = nested / f"IMG_{number:04d}.{'JPG' if number % 5 == 0 else 'jpeg'}"
            shutil.copyfile(file, target)
            good.append(target.relative_to(folder).as_posix())
    chosen = [path for path in rng.permutation(good).tolist() if not path.startswith(RARE)]
    for number in range(BROKEN):
        path = chosen.pop()
        whole = (folder / path).read_bytes()
        (folder / path).write_bytes((whole[: len(whole) // 3], b"", b"<html>404</html>")[number])
        messy.broken.append(path)
    for _ in range(COPIES):
        path = chosen.pop()
        copy = f"{path.rsplit('.', 1)[0]} (1).jpg"
        shutil.copyfile(folder / path, folder / copy)
        messy.copies.append((path, copy))
    names = [name for name in CLASSES.values() if name != RARE]
    for _ in range(WRONG):
        path = chosen.pop()
        true_class = path.split("/")[0]
        other = str(rng.choice([name for name in names if name != true_class]))
        moved = f"{other}/from {true_class} {Path(path).name}"
        (folder / path).rename(folder / moved)
        messy.wrong[moved] = true_class
    turned, animated, clear, grey = (folder / chosen.pop() for _ in range(4))
    with Image.open(turned) as picture:
        exif = picture.getexif()
        exif[0x0112] = 6
        picture.transpose(Image.Transpose.ROTATE_90).save(turned, "JPEG", exif=exif, quality=95)
    for path, suffix, mode in ((animated, ".gif", "P"), (clear, ".png", "RGBA"), (grey, ".TIFF", "I;16")):
        with Image.open(path) as picture:
            frames = {"save_all": True, "append_images": [Image.new("P", picture.size)]} if suffix == ".gif" else {}
            if mode == "I;16":
                pixels = Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) << 8)
            else:
                pixels = picture.convert(mode)
            pixels.save(path.with_suffix(suffix), **frames)
        path.unlink()
    for path in ("tench/._IMG_0001.jpeg", "教会/._IMG_0002.jpeg", ".DS_Store"):
        (folder / path).write_bytes(b"\0\5\x16\7\0\2\0\0Mac OS X")
        messy.others.append(path)
    (folder / "notes.txt").write_text("taken in 2023")
    (folder / "tench" / "IMG_9999.HEIC").write_bytes(b"\0\0\0\x18ftypheic" + bytes(64))
    (folder / "to sort").mkdir()
    messy.others += ["notes.txt", "tench/IMG_9999.HEIC", "to sort"]
    return messy
