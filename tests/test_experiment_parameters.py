"""Parameters of a notebook: those that papermill put in are checked as well."""

import nbformat
import pytest
from papermill.parameterize import parameterize_notebook

from aesc.errors import InputError
from aesc.experiment import RunConfig, notebook_config

OWN = "category = 'washer'\nsize = None\nseed = 0\nout = '../runs'"


def executed(**injected: object) -> dict[str, object]:
    """The variables of a notebook whose parameters papermill has set, after it was executed."""
    cell = nbformat.v4.new_code_cell(OWN, metadata={"tags": ["parameters"]})
    notebook = nbformat.v4.new_notebook(cells=[cell])
    notebook.metadata.kernelspec = {"name": "python3", "language": "python", "display_name": "P"}
    notebook.metadata.papermill = {}
    cells = parameterize_notebook(notebook, injected).cells if injected else notebook.cells
    variables: dict[str, object] = {"In": ["", *(cell.source for cell in cells)]}
    for cell in cells:
        exec(cell.source, variables)
    return variables


def test_parameters_become_the_configuration():
    assert notebook_config(executed()) == RunConfig.checked(category="washer")
    expected = RunConfig.checked(category="bottle", size=96, model="itae")
    assert notebook_config(executed(category="bottle", size=96, model="itae")) == expected


@pytest.mark.parametrize("name", ["categories", "Category", "epoch", "lr"])
def test_misspelt_parameter_is_refused_by_name(name):
    """Papermill itself only warns, and the notebook would go on with its own value."""
    with pytest.raises(InputError, match=rf"^'{name}' is not a parameter: choose one of category"):
        notebook_config(executed(**{name: "bottle"}))


@pytest.mark.parametrize(("name", "value"), [("category", 1), ("out", 2.5), ("preset", True)])
def test_name_that_papermill_made_a_number_of(name, value):
    """``papermill -p category 01`` gives 1."""
    with pytest.raises(InputError, match=rf"^{name} is {value}: give text, .* -r instead of -p"):
        notebook_config(executed(**{name: value}))


def test_values_are_checked_as_everywhere():
    with pytest.raises(InputError, match="size is -1"):
        notebook_config(executed(size=-1))
    with pytest.raises(InputError, match="corruption is 'coffee'"):
        notebook_config(executed(corruption="coffee"))


def test_other_variables_of_a_notebook_are_no_parameters():
    variables = executed() | {"figure": object(), "epochs_seen": 3}
    assert notebook_config(variables).category == "washer"
