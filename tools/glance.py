"""The results at a glance: a table made from the records, for the first page and the README.

``python -m tools.glance`` writes it into both; a test fails when they part from the records.
"""

from pathlib import Path
from typing import Any

import pandas as pd

from aesc.experiment import METHODS, full_length
from aesc.records import OWN_METHOD, Store, format_mean, kinds, results_table

ROOT = Path(__file__).resolve().parent.parent
PAGE = "book/_glance.md"
README = "README.md"
MARKS = ("<!-- results at a glance: python -m tools.glance -->\n", "<!-- end of results -->\n")
METHODS_SHOWN = (
    ("ae_l2", "none"),
    ("ae_ssim", "none"),
    ("itae", "erasing"),
    OWN_METHOD,
    ("aesc_plus", "rich"),
)
"""The rivals, the paper's method and the one that goes past it, in the order of the table."""


def table(results: Path) -> str:
    """AUROC and AUPRO per data set, budget and method, as Markdown.

    Of the paper's method every map has a line, of another the map that a detector scores.
    A data set of several categories is averaged over them, each first over its seeds.
    """
    records = [
        record
        for record in full_length(Store(results).records())
        if (record.method.model, record.method.corruption) in METHODS_SHOWN
    ]
    keys = ["dataset", "size", "tile", "images_seen", "model"]
    rows = results_table(records)
    rows["model"] = pd.Categorical(rows.model, [model for model, _ in METHODS_SHOWN])
    # The largest group of categories first, so that a single one stands below its data set.
    rows["order"] = rows.groupby(keys, observed=True).category.transform("count").rsub(len(rows))
    lines: list[dict[str, str]] = []
    for key, group in rows.groupby(["dataset", "order", *keys[1:]], observed=True):
        named: dict[str, Any] = dict(zip(["dataset", "order", *keys[1:]], key, strict=True))
        own = named["model"] == OWN_METHOD[0]
        shown = kinds(records) if own else [METHODS[named["model"]].kind]
        lines += [_line(named, group, kind) for kind in shown if f"image_{kind}" in _known(group)]
    text = pd.DataFrame(lines).to_markdown(index=False, disable_numparse=True)
    return (
        "Area under the ROC curve (AUROC) of images and of pixels, and area under the per-region "
        "overlap (AUPRO); 1 is perfect, and chance has an AUROC of 0.5 and an AUPRO of 0.15. AESc "
        "is the paper's method and AESc+ goes past it; AE_L2, AE_SSIM and ITAE are rivals. The "
        "name of the method is followed by the map that is scored. Images seen in training are "
        "counted with every repetition.\n\n"
        f"{text}\n"
    )


def _known(group: pd.DataFrame) -> set[str]:
    """The columns that hold anything."""
    return {str(name) for name in group.columns[group.notna().any()]}


def _line(named: dict[str, Any], group: pd.DataFrame, kind: str) -> dict[str, str]:
    """One map of one method on one data set."""
    name, several = named["dataset"], len(group) > 1
    what = f"{len(group)} categories" if several else group.category.iloc[0]
    seeds = sorted({min(group.seeds), max(group.seeds)})
    tiles = f" in tiles of {named['tile']}" if named["tile"] else ""
    means = {level: group[f"{level}_{kind}"].mean() for level in ("image", "pixel", "aupro")}
    return {
        "data": name if what == name else f"{name}, {what}",
        "size, images seen": f"{named['size']} px{tiles}, {named['images_seen']:,}",
        "seeds": " to ".join(map(str, seeds)),
        "method, map": f"{METHODS[named['model']].title}, {kind}",
        "image AUROC": format_mean(means["image"]),
        "pixel AUROC": format_mean(means["pixel"]),
        "AUPRO": format_mean(means["aupro"]),
    }


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
