"""Text files of an export, from the templates of this package and what its manifest says."""

from collections.abc import Callable, Mapping
from pathlib import Path

from label_image.installing import how_to_install
from retrain.core.errors import ExportError

TEMPLATES = Path(__file__).with_name("templates")


def render(name: str, filters: Mapping[str, Callable[..., str]], values: Mapping[str, object]) -> str:
    """Fill the template `<name>.jinja`. Raises ExportError if jinja2 is missing."""
    try:
        import jinja2
    except ImportError:
        raise ExportError(f"The {name} of an export needs jinja2: {how_to_install('train')}.") from None
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), undefined=jinja2.StrictUndefined, keep_trailing_newline=True
    )
    environment.filters.update(filters)
    return environment.get_template(f"{name}.jinja").render(values)
