"""MLflow: in a folder of this machine, or where MLFLOW_TRACKING_URI says.

MLflow asks for a server or a database since its version 3, and reports how it is used to its makers; both are switched
off here, unless the user's environment says otherwise of the first.
"""

import os
import time
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from label_image.errors import first_line
from label_image.installing import how_to_install
from retrain.core.errors import ExportError, OptionError
from retrain.insight.tracking.base import Tracker
from retrain.insight.tracking.record import Record

ADDRESS = "MLFLOW_TRACKING_URI"
FOLDER = Path("tf_files/mlruns")  # where that says nothing
EXPERIMENT = "MLFLOW_EXPERIMENT_NAME"  # MLflow's own variable, too
AT_ONCE = 500  # numbers; MLflow takes a thousand
LONGEST = 500  # letters of an option; MLflow takes 6,000, older servers 500
SWITCHES = {
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
DEFAULTS = {
    "MLFLOW_ALLOW_FILE_STORE": "true",  # a folder needs no server, and is all that one person needs
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",  # with 7 a server that is not there takes minutes
}


def _check() -> None:
    if find_spec("mlflow") is None:
        raise OptionError(f"`track` mlflow needs mlflow, which is not installed; {how_to_install('mlflow')}.")
    try:
        _place()
    except ValueError:
        # The address is not shown: nobody knows where in it a password is.
        raise OptionError(
            f"{ADDRESS} is not an address that can be read: write it as http://HOST:PORT, or unset it, and runs are "
            f"kept in {FOLDER}."
        ) from None


def _place() -> str:
    """The address without what may be a password."""
    address = os.environ.get(ADDRESS)
    if not address:
        return str(FOLDER)
    parts = urlsplit(address)
    if "@" not in parts.netloc:
        return address  # put together again, some would read otherwise
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _keep(record: Record) -> None:
    os.environ.update(SWITCHES)
    for name, value in DEFAULTS.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    try:
        client = MlflowClient(os.environ.get(ADDRESS) or FOLDER.absolute().as_uri())
        began = int(1000 * (time.time() - record.seconds))
        made = client.create_run(_experiment(client), began, dict(record.tags), record.name)
        run = made.info.run_id
        _log(client, run, record)
        for path in record.files:
            client.log_artifact(run, str(path))
        client.set_terminated(run)
    except (MlflowException, OSError) as error:
        reason = first_line(error).replace(os.environ.get(ADDRESS) or _place(), _place()).rstrip(".")
        raise ExportError(
            f"The run could not be kept in {_place()} ({reason}): check {ADDRESS}. The model itself is written."
        ) from None


def _experiment(client: Any) -> str:
    name = os.environ.get(EXPERIMENT) or "retrain"
    found = client.get_experiment_by_name(name)
    return str(client.create_experiment(name) if found is None else found.experiment_id)


def _log(client: Any, run: str, record: Record) -> None:
    from mlflow.entities import Metric, Param

    now = int(1000 * time.time())
    options = [Param(name, value[:LONGEST]) for name, value in record.options.items()]
    client.log_batch(
        run, metrics=[Metric(name, value, now, 0) for name, value in record.figures.items()], params=options
    )
    points = (
        # A page that draws them over the time draws them apart.
        Metric(f"curve_{name}", value, now + step, step)
        for name, curve in record.curves.items()
        for step, value in curve
    )
    while some := list(islice(points, AT_ONCE)):
        client.log_batch(run, metrics=some)


TRACKER = Tracker("mlflow", _check, _place, _keep)
