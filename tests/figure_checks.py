"""What every figure of the book must keep, whoever draws it."""

from matplotlib.figure import Figure


def fits_its_page(figure: Figure) -> None:
    """At most as wide as a page, with nothing of it cut off."""
    figure.canvas.draw()
    box = figure.get_tightbbox(figure.canvas.get_renderer())
    width, height = figure.get_size_inches()
    assert width <= 7.0
    assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height
