"""The model taken away: written in a format, sent as a zip, and the codes by which phones find its page."""

from urllib.parse import quote

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.routing import Route

from label_image.serve.bodies import Bodies
from label_image.serve.refused import Refused
from retrain.studio.phone import phone_addresses, qr_svg
from retrain.studio.requests import Format, asked
from retrain.studio.studio import Studio
from retrain.studio.taking import REPORT, WORDS, written_report
from retrain.studio.tasks import ask_export
from retrain.studio.zips import zip_name, zip_of

# The report says so itself; it comes from where a page may ask for anything, and has no script.
OF_REPORT = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


def taking_routes(studio: Studio, bodies: Bodies) -> list[Route]:
    """Each does what its address says; a format is only begun to be written."""

    async def export(request: Request) -> Response:
        wanted = await asked(request, bodies, Format)
        if wanted.name not in WORDS:
            raise Refused(400, f"The format {wanted.name} is not known; choose from {', '.join(WORDS)}.")
        ask_export(studio, wanted.name)
        return Response(status_code=202)

    async def take_away(request: Request) -> Response:
        name, folder = request.path_params["name"], studio.config.output_dir
        if name == REPORT:
            report = await anyio.to_thread.run_sync(written_report, studio.config)
            if report is None:
                raise Refused(409, "The report was not written yet: write it first.")
            headers = {"Cache-Control": "no-store", "Content-Security-Policy": OF_REPORT}
            return FileResponse(report, media_type="text/html", headers=headers)
        parts = await anyio.to_thread.run_sync(zip_of, folder, name)
        disposition = f"attachment; filename*=utf-8''{quote(zip_name(folder, name))}"
        headers = {"Content-Disposition": disposition, "Cache-Control": "no-store"}
        return StreamingResponse(parts, media_type="application/zip", headers=headers)

    async def qr(request: Request) -> Response:
        addresses = phone_addresses(studio.config)
        found = {"collect": addresses.collect, "phone": addresses.trying}.get(request.query_params.get("for", ""))
        if found is None:
            raise Refused(400, "A QR code is for=collect or for=phone.")
        return Response(qr_svg(found), media_type="image/svg+xml", headers={"Cache-Control": "no-store"})

    return [
        Route("/export", export, methods=["POST"]),
        Route("/take/{name}", take_away, methods=["GET"]),
        Route("/qr", qr, methods=["GET"]),
    ]
