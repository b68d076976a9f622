"""Values as cells of a CSV file: readable by programs, and computed by no spreadsheet."""

FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what spreadsheets compute, if a cell begins with it


def cell(value: object) -> str:
    """None as nothing, true and false, numbers to six digits, and text as it is, but for a formula."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    return _no_formula(value, "'") if isinstance(value, str) else f"{value:.6g}"


def path_cell(path: str) -> str:
    """A path; `./=1.jpg` is the same file as `=1.jpg`."""
    return _no_formula(path, "./")


def _no_formula(text: str, before: str) -> str:
    return before + text if text.startswith(FORMULA) else text
