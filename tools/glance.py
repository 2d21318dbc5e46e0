"""The results at a glance: a table made from the records, for the first page and the README.

``python -m tools.glance`` writes it into both; a test fails when they part from the records.
"""

from pathlib import Path

import pandas as pd

from aesc.experiment import METHODS, full_length
from aesc.records import OWN_METHOD, Store, format_mean, kinds, results_table

ROOT = Path(__file__).resolve().parent.parent
PAGE = "book/_glance.md"
README = "README.md"
MARKS = ("<!-- results at a glance: python -m tools.glance -->\n", "<!-- end of results -->\n")
LEVELS = ("image", "pixel")


def table(results: Path) -> str:
    """Mean AUROC of the paper's method per data set and budget, as Markdown.

    A data set of several categories is averaged over them, each first over its seeds.
    """
    model, _ = OWN_METHOD
    records = [
        record
        for record in full_length(Store(results).records())
        if (record.method.model, record.method.corruption) == OWN_METHOD
    ]
    keys = ["dataset", "preset", "size", "images_seen"]
    lines = []
    for key, group in results_table(records).groupby(keys, sort=False):
        line = dict(zip(keys, key, strict=True))
        name = line.pop("dataset")
        several = len(group) > 1
        what = f"{len(group)} categories" if several else group.category.iloc[0]
        seeds = sorted(set(group.seeds))
        count = str(seeds[0]) if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
        values = {
            f"{level}, {kind}": format_mean(group[f"{level}_{kind}"].mean())
            for level in LEVELS
            for kind in kinds(records)
        }
        data = name if what == name else f"{name}, {what}"
        budget = f"{line['size']} px, {line['images_seen']:,} images"
        lines.append({"data": data, "training": budget, "seeds": count, **values})
    text = pd.DataFrame(lines).to_markdown(index=False, disable_numparse=True)
    return (
        f"Area under the ROC curve (AUROC) of {METHODS[model].title}, of images and pixels, for "
        f"each map; 1 is perfect, 0.5 is chance.\n\n{text}\n"
    )


def write(root: Path) -> None:
    """Put the table into the page and, where there is one, the README below ``root``."""
    text = table(root / "results")
    (root / PAGE).write_text(text, encoding="utf-8")
    readme = root / README
    if readme.exists():
        readme.write_text(between_marks(readme.read_text(encoding="utf-8"), text), encoding="utf-8")


def between_marks(document: str, text: str) -> str:
    """The document with ``text`` between its marks."""
    start, end = MARKS
    before, _, rest = document.partition(start)
    _, _, after = rest.partition(end)
    return f"{before}{start}\n{text}\n{end}{after}"


if __name__ == "__main__":
    write(ROOT)
