"""What MkDocs calls while it builds the site: Portuguese pages say so, for who has them read aloud or translated."""

from typing import Any

ARTICLE = '<article class="md-content__inner md-typeset"'


def on_post_page(output: str, page: Any, config: Any) -> str:
    """The text of a page; what lies round it is English on all of them."""
    if not page.file.src_uri.startswith("pt/"):
        return output
    assert ARTICLE in output, "the theme has another template: look at how it begins a text"
    return output.replace(ARTICLE, f'{ARTICLE} lang="pt-BR"', 1)
