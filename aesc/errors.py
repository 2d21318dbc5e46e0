"""The two exceptions of the package, so that a caller can tell bad input from a failed run."""


class InputError(ValueError):
    """Something the user gave is unusable: one sentence that names the file or value and the remedy.

    The command line prints the sentence alone and exits with code 2; nothing has been written.
    """


class TrainingError(RuntimeError):
    """A training run cannot go on (for example its loss is no longer finite)."""
