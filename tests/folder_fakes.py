"""What the tests of category folders share: one small folder with the clutter of real ones."""

from pathlib import Path

from PIL import Image


def save(path: Path, value: int, size: tuple[int, int] = (6, 4)) -> None:
    """Write an image of one grey; a mask keeps a column without a defect."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.new("L", size, value)
    if "ground_truth" in path.parts:
        image.paste(0, (0, 0, 1, size[1]))
    image.save(path)


def write_part(root: Path) -> Path:
    """Write a small category in the layout of MVTec AD, with the clutter that real folders have."""
    for index in range(10):
        save(root / "train/good" / f"{index:03}.png", 10 * index)
    for index in range(2):
        save(root / "test/good" / f"{index:03}.png", 200)
        save(root / "test/crack" / f"{index:03}.bmp", 100 + index, (5 + index, 9))
        save(root / "ground_truth/crack" / f"{index:03}_mask.png", 255, (5 + index, 9))
    save(root / "test/stain/000.jpg", 50)
    save(root / "ground_truth/stain/000_mask.tif", 0)
    for clutter in ("train/good/Thumbs.db", "test/crack/.DS_Store", "license.txt"):
        (root / clutter).write_text("clutter")
    (root / "train/good/._000.png").write_text("resource fork")
    (root / "test/.ipynb_checkpoints").mkdir()
    return root
