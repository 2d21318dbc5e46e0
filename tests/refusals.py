"""What a refusal of the command looks like."""


def refused(result: tuple[int, str, str], *named: str) -> None:
    """Exit code 2, and one error sentence that names what is wrong."""
    code, _, stderr = result
    errors = [line for line in stderr.splitlines() if line.startswith("aesc: error: ")]
    assert code == 2 and len(errors) == 1, stderr
    assert errors[0].endswith(".") and "Traceback" not in stderr
    for name in named:
        assert name in errors[0]
