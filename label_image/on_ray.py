"""Ray, for both packages: joins a cluster, or starts Ray on this machine, and is quiet about it.

Ray is imported where a cluster is asked for, and nowhere else.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from label_image.errors import ClusterError
from label_image.installing import how_to_install


@dataclass(frozen=True)
class RayConfig:
    """Which Ray: the one at `address` (by default that of RAY_ADDRESS), or where there is none, one of this machine."""

    address: str | None = None


@contextmanager
def connected(config: RayConfig = RayConfig()) -> Iterator[Any]:
    """The module `ray`, connected. What this process was connected to before stays so; what was started here ends.

    Raises ClusterError.
    """
    try:
        import ray
    except ModuleNotFoundError as error:
        raise ClusterError(f"`executor` ray needs Ray, which is not installed: {how_to_install('ray')}.") from error
    if ray.is_initialized():
        yield ray
        return
    ray.init(address=config.address, include_dashboard=False, log_to_driver=False, logging_level=logging.ERROR)
    try:
        yield ray
    finally:
        ray.shutdown()
