"""The exceptions of the package, so that a caller can tell bad input from a fault in the code."""


class InputError(ValueError):
    """Something given is unusable: one sentence that names the file or value and the remedy.

    The command line prints the sentence alone and exits with code 2; nothing is left half written.
    """


class TrainingError(InputError):
    """A training that cannot go on as it was set up; the last good weights are kept."""


class NotebookError(RuntimeError):
    """A notebook that failed for another reason than bad input; what it did so far is kept."""


class KernelDiedError(NotebookError):
    """The process that ran a notebook was killed from outside, which may go well another time."""


class ExportError(RuntimeError):
    """An exported file that does not give the verdicts of its detector; it is not kept."""
