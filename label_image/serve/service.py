"""What every route has: the model in use, the threads that run it, the limits."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from label_image.serve.answers import Task
from label_image.serve.bodies import Bodies
from label_image.serve.limits import Limits
from label_image.serve.metrics import Metrics
from label_image.serve.model_in_use import Loaded, ModelInUse
from label_image.serve.refused import busy
from label_image.serve.workers import Workers

Work = Callable[[Task, bytes], Response]


@dataclass(frozen=True)
class Service:
    """The parts of a server."""

    models: ModelInUse
    workers: Workers
    bodies: Bodies
    limits: Limits
    metrics: Metrics

    async def answer(self, request: Request, loaded: Loaded, work: Work) -> Response:
        """What `work` makes of the body of a request, in a thread, by the model that it began with. Raises Refused."""
        deadline = time.monotonic() + self.limits.seconds
        self.workers.require_room()  # before it is read: who cannot be answered need not send
        async with self.bodies.read(request) as body:
            task = Task(loaded, self.limits, deadline)
            try:
                return await self.workers.run(lambda: work(task, body), deadline - time.monotonic())
            except MemoryError:
                raise busy("there is too little memory") from None
