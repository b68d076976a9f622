from collections.abc import Iterator

import pytest
from static_host import Host, hosted

from label_image.web.site import why_no_runtime


@pytest.fixture
def host() -> Iterator[Host]:
    with hosted() as found:
        yield found


@pytest.fixture
def built() -> None:
    """What runs a model in a browser is there."""
    if why_no_runtime() is not None:
        pytest.skip("no runtime of the camera page: make web-runtime")
