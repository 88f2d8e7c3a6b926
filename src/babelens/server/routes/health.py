"""``/health``, ``/ready`` and ``/metrics``: for those who keep the service running."""

from __future__ import annotations

from fastapi import APIRouter, Response

from ...errors import BabelensError
from .. import schemas
from .dependencies import ServiceDep

router = APIRouter(tags=["operation"])


@router.get("/health", summary="Whether the process answers")
async def health() -> schemas.HealthOut:
    return schemas.HealthOut(status="ok")


@router.get(
    "/ready", summary="Whether collections can be read", responses={503: {"model": schemas.HealthOut}}
)
async def ready(service: ServiceDep, response: Response) -> schemas.HealthOut:
    problems = ["shutting down"] if service.closing else []
    for name in service.collections():
        try:
            await service.open(name).check()
        except BabelensError as error:
            problems.append(f"{name}: {type(error).__name__}")
    response.status_code = 503 if problems else 200
    return schemas.HealthOut(status="not ready" if problems else "ready", problems=problems)


@router.get("/metrics", summary="Figures for Prometheus", response_class=Response)
async def metrics(service: ServiceDep) -> Response:
    return Response(service.metrics.text(), media_type="text/plain; version=0.0.4; charset=utf-8")
