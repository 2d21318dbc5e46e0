"""The commands, a module for each subject.

A module has a function ``add_parsers`` that adds its parsers to those of `aesc.cli`, and for each
command a function that takes the parsed options and returns the exit code. Imports of other rooms
are inside the functions, so that ``aesc --help`` does not wait for torch.
"""
