"""Tables as Markdown, HTML, LaTeX and CSV."""

import csv
import io
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from records_by_hand import RIVALS, maps, record, seeds

from aesc.errors import InputError
from aesc.records import (
    COMPARISON,
    FORMATS,
    KEY,
    comparison_table,
    format_mean,
    metric_columns,
    render,
    results_table,
)

METRICS = metric_columns([record()])


NOTE = "wood_1, 100 % & <more>: seeds ran on a and on b."


def mixture() -> pd.DataFrame:
    """Two seeds of one method, one of a method without uncertainty, a name that needs escaping."""
    plain = record(model="ae_l2", **RIVALS["ae_l2"], metrics={"residual": maps(0.95, 0.6, 0.5)})
    odd = record(data={"dataset": "a_b & <i>|100 %", "category": "zz" * 40})
    return results_table([*seeds(0.95, 0.99), plain, odd])


class Cells(HTMLParser):
    """Reads a table: its cells by section, its caption, and whether every tag is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.rows: dict[str, list[list[str]]] = {"thead": [], "tbody": [], "tfoot": []}
        self.attributes: list[tuple[str, dict]] = []
        self.caption = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.attributes.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows[self.open[-2]].append([])
        if tag in ("th", "td"):
            self.rows[self.open[-3]][-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("th", "td"):
            self.rows[self.open[-3]][-1][-1] += data
        elif self.open and self.open[-1] == "caption":
            self.caption += data
        else:
            assert not data.strip()


def markdown_cells(line: str) -> list[str]:
    cells = re.split(r"(?<!\\)\|", line.strip())[1:-1]
    return [cell.strip().replace(r"\|", "|") for cell in cells]


def latex_cells(line: str) -> list[str]:
    line = line.removesuffix(r"\\").replace("\\&", "\0")
    cells = [cell.strip().replace("\0", "&") for cell in line.split(" & ")]
    return [re.sub(r"\\([_%])", r"\1", cell) for cell in cells]


def read(text: str, format: str) -> list[dict[str, str]]:
    """The rows of a rendered table by their headings."""
    if format == "html":
        sections = Cells(text).rows
        head, body = sections["thead"][0], sections["tbody"]
    elif format == "markdown":
        lines = [line for line in text.splitlines() if line.startswith("|")]
        head, body = markdown_cells(lines[0]), [markdown_cells(line) for line in lines[2:]]
    else:
        lines = [line for line in text.splitlines() if line.endswith(r"\\")]
        head, *body = [latex_cells(line) for line in lines]
    return [dict(zip(head, row, strict=True)) for row in body]


@pytest.mark.parametrize("format", ["markdown", "html", "latex"])
def test_cells_to_read_hold_mean_and_spread(format):
    table = mixture()
    rows = read(render(table, format), format)
    assert list(rows[0]) == [*KEY, "seeds", *METRICS, "minutes"]
    by_model = {row["model"]: row for row in rows if row["category"] == "bottle"}
    assert by_model["aesc"]["image_residual"] == "0.970 ± 0.028"
    assert by_model["aesc"]["pixel_residual"] == "0.800 ± 0.000"
    assert by_model["aesc"]["image_uncertainty"] == "—"
    assert by_model["ae_l2"]["image_residual"] == "0.950"
    assert by_model["ae_l2"]["aupro_uncertainty"] == "—"
    assert by_model["ae_l2"]["images_seen"] == "5600" and by_model["ae_l2"]["minutes"] == "1.0"


@pytest.mark.parametrize("format", ["markdown", "html", "latex"])
def test_names_survive_the_escaping_of_a_format(format):
    rows = read(render(mixture(), format), format)
    assert {(row["dataset"], row["category"]) for row in rows} == {
        ("mvtec_ad", "bottle"),
        ("a_b & <i>|100 %", "zz" * 40),
    }


@pytest.mark.parametrize("format", ["markdown", "html", "latex"])
def test_comparison_folds_its_spread_and_signs_its_difference(format):
    runs = [
        record(seed=i, metrics={"residual": maps(a, 0.9, 0.7), "uncertainty": maps(0.6, 0.5, 0.4)})
        for i, a in enumerate([0.95, 0.97])
    ]
    rows = {r["measure"]: r for r in read(render(comparison_table(runs), format), format)}
    assert list(rows["image_residual"]) == COMPARISON[:-1]
    assert rows["image_residual"]["ours"] == "0.960 ± 0.014"
    assert rows["image_residual"]["paper"] == "0.98"
    assert rows["image_residual"]["difference"] == "-0.020"
    assert rows["pixel_residual"]["difference"] == "+0.060"
    assert rows["image_itae"]["ours"] == "—" and rows["image_itae"]["size"] == "—"
    assert rows["image_itae"]["paper"] == "0.94" and rows["image_itae"]["seeds"] == "0"


@pytest.mark.parametrize("make", [results_table, comparison_table])
def test_csv_reads_back_as_the_same_numbers(make):
    table = make(seeds(0.95, 0.99))
    back = pd.read_csv(io.StringIO(render(table, "csv", [NOTE])))
    assert list(back) == list(table)
    for name in table.select_dtypes("number"):
        np.testing.assert_array_equal(
            back[name].to_numpy(float), table[name].to_numpy(float, na_value=np.nan)
        )


def test_csv_has_no_place_for_notes():
    table = results_table(seeds(0.95, 0.99))
    rows = list(csv.reader(io.StringIO(render(table, "csv", [NOTE]))))
    assert len(rows) == 2 and {len(row) for row in rows} == {len(table.columns)}


def test_html_is_one_closed_table_with_caption_and_scopes():
    text = render(mixture(), "html", [NOTE])
    parsed = Cells(text)
    assert not parsed.open and text.startswith("<table") and text.endswith("</table>\n")
    assert [tag for tag, _ in parsed.attributes[:2]] == ["table", "caption"]
    assert "sample standard deviation over seeds" in parsed.caption
    heads = [found for tag, found in parsed.attributes if tag == "th"]
    assert heads and all(found == {"scope": "col"} for found in heads)
    assert "border" not in parsed.attributes[0][1]


def test_html_holds_notes_in_a_foot_as_wide_as_the_table():
    parsed = Cells(render(mixture(), "html", [NOTE, "Another."]))
    assert parsed.rows["tfoot"] == [[NOTE], ["Another."]]
    spans = [found["colspan"] for _, found in parsed.attributes if "colspan" in found]
    assert spans == [str(len(parsed.rows["thead"][0]))] * 2
    assert Cells(render(mixture(), "html")).rows["tfoot"] == []


def test_markdown_holds_notes_as_a_list_below():
    table = mixture()
    text = render(table, "markdown", [NOTE, "Another."])
    assert text == render(table, "markdown") + f"\n- {NOTE}\n- Another.\n"


def test_latex_uses_booktabs_and_escapes():
    text = render(mixture(), "latex", [NOTE])
    for line in (r"\begin{table}", r"\toprule", r"\midrule", r"\bottomrule", r"\end{tabular}"):
        assert text.count(line) == 1
    assert text.index(r"\end{tabular}") < text.index("seeds ran on") < text.index(r"\end{table}")
    assert r"wood\_1, 100 \% \& <more>" in text
    assert not re.search(r"(?<!\\)[_%#$]", text)


def test_latex_has_one_alignment_per_column():
    text = render(mixture(), "latex")
    alignment = re.search(r"\\begin\{tabular\}\{([lr]+)\}", text)[1]
    assert alignment[:5] == "lllll" and set(alignment[5:]) == {"r"}
    rows = [line for line in text.splitlines() if line.endswith(r"\\")]
    assert {len(latex_cells(row)) for row in rows} == {len(alignment)}


@pytest.mark.parametrize("format", FORMATS)
def test_text_ends_with_one_line_break(format):
    text = render(results_table([record()]), format, ["Note."])
    assert text.endswith("\n") and not text.endswith("\n\n")


def test_unknown_format_is_refused():
    with pytest.raises(InputError) as refused:
        render(results_table([record()]), "xml")
    assert str(refused.value) == ("format is 'xml': choose one of markdown, html, csv, latex.")


@pytest.mark.parametrize("format", ["markdown", "html", "latex"])
def test_numbers_are_rounded_as_python_formats_them(format):
    """As on the bars of a figure: 0.6375 is stored as 0.63749..., which `numpy.round` lifts."""
    halves = [0.6375, 0.4875, 0.0625, 0.8125]
    assert np.round(0.6375, 3) == 0.638
    for value in halves:
        row = read(render(results_table(seeds(value)), format), format)[0]
        assert row["image_residual"] == f"{value:.3f}" == format_mean(value)


def test_a_mean_is_written_with_its_spread_or_as_a_dash():
    assert format_mean(0.95, 0.0041) == "0.950 ± 0.004"
    assert format_mean(0.95, None) == format_mean(0.95, float("nan")) == "0.950"
    assert format_mean(None) == format_mean(float("nan"), 0.1) == "—"
    assert format_mean(-0.5, form="+.2f") == "-0.50"
