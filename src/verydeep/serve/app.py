"""The web application: its routes, and how its errors are answered."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le
from fastapi import FastAPI, Query
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from verydeep.errors import UnreadableError
from verydeep.prediction.predict import NONE_OF_THESE
from verydeep.serve.answers import Answers, Values, answer_each, draw_heat_maps, model_facts
from verydeep.serve.limits import Limits
from verydeep.serve.metrics import Metrics
from verydeep.serve.occlusion import Occlusion
from verydeep.serve.openapi import BUSY, EMBED, PREDICT, PROBLEMS, REFUSED, add_token
from verydeep.serve.page_routes import page_routes
from verydeep.serve.pipeline import Pipeline
from verydeep.serve.problems import Problem, problem_response
from verydeep.serve.served import ServedNetwork
from verydeep.serve.uploads import Receiver

Top = Annotated[int, Ge(1), Le(1_000_000), Query(description="The number of classes")]
RejectBelow = Annotated[
    Annotated[float, Gt(0), Le(1)] | None,
    Query(description="A confidence below which the label is “none of these”"),
]
Explain = Annotated[
    Literal["grad-cam", "occlusion"] | None,
    Query(description="The method of a heat map of the predicted class"),
]


def application(
    served: ServedNetwork, limits: Limits, metrics: Metrics, *, needs_token: bool = False
) -> FastAPI:
    """The application for ``served``; its OpenAPI document says whether a guard asks for a token.

    Raises:
        CheckpointError: if the network's temperature is not a valid number.
    """
    pipeline = Pipeline(served.network.preprocess, limits, metrics)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        returning = asyncio.create_task(pipeline.return_memory())
        metrics.set_ready(True)
        yield
        metrics.set_ready(False)
        returning.cancel()
        await asyncio.to_thread(pipeline.stop)

    app = FastAPI(
        title="verydeep", docs_url=None, redoc_url=None, lifespan=lifespan, responses=PROBLEMS,
        description="Image classification by one network. Errors are problem details (RFC 9457).",
    )  # fmt: skip
    for kind, answer in _ERRORS.items():
        app.add_exception_handler(kind, answer)
    _add_images(app, served, _Images(pipeline, Receiver(limits), metrics))
    _add_state(app, served, pipeline)
    app.include_router(page_routes())  # last: a request is compared with the routes in turn
    if needs_token:
        add_token(app.openapi())  # after all routes: each makes a new document
    return app


Run = Callable[[Sequence[bytes]], Awaitable[list[Any]]]
"""From files to a result for each, or an UnreadableError."""


class _Images:
    """From a request with images to the answer."""

    def __init__(self, pipeline: Pipeline, receiver: Receiver, metrics: Metrics) -> None:
        self.pipeline, self.receiver, self.metrics = pipeline, receiver, metrics

    async def answer(self, request: Request, run: Run, answer: Callable[..., Values]) -> JSONResponse:
        self.pipeline.check_room()
        async with self.receiver.images(request) as uploads:
            results = await run([upload.content for upload in uploads])
        broken = sum(isinstance(result, UnreadableError) for result in results)
        self.metrics.count_images(len(results), broken)
        request.state.log = {"images": len(results), "broken": broken}
        return JSONResponse(answer_each(uploads, results, answer))


def _add_images(app: FastAPI, served: ServedNetwork, images: _Images) -> None:
    """The routes that take images."""
    answers, pipeline = Answers(served), images.pipeline
    occlusion = Occlusion(served, pipeline)

    @app.post("/v1/predict", openapi_extra=PREDICT, responses=REFUSED, response_class=JSONResponse)
    async def predict(
        request: Request,
        top: Top = 5,
        reject_below: RejectBelow = None,
        explain: Explain = None,
    ) -> Response:
        """Classify images; the answer has one object for each, as `verydeep predict --json` prints them.

        `explain` adds a heat map of the predicted class. Without class maps, grad-cam becomes occlusion.
        """
        if reject_below is not None and NONE_OF_THESE in served.network.classes:
            detail = f"the network has a class {NONE_OF_THESE!r}; leave out reject_below"
            raise Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail)
        run: Run
        if explain is None:
            run = partial(pipeline.run, compute=served.network.logits)
            return await images.answer(
                request, run, partial(answers.prediction, top=top, reject_below=reject_below)
            )
        if explain == "grad-cam" and served.explain:
            run = partial(pipeline.run, compute=served.explain)
        else:
            explain = "occlusion"
            run = occlusion.run
        explained = partial(answers.explained, method=explain, top=top, reject_below=reject_below)
        return await images.answer(request, partial(_run_and_draw, run), explained)

    @app.post("/v1/embed", openapi_extra=EMBED, responses=REFUSED, response_class=JSONResponse)
    async def embed(request: Request) -> Response:
        """Extract features: one vector for each image, as `verydeep embed` gives it."""
        run = partial(pipeline.run, compute=served.embed)
        return await images.answer(request, run, answers.embedding)


async def _run_and_draw(run: Run, images: Sequence[bytes]) -> list[Any]:
    """As ``run``, with heat maps as PNG; to draw them takes long, so a thread does it."""
    return await asyncio.to_thread(draw_heat_maps, await run(images))


def _add_state(app: FastAPI, served: ServedNetwork, pipeline: Pipeline) -> None:
    """The routes about the network and the server."""

    @app.get("/v1/model", response_description="Facts in JSON")
    async def model() -> Response:
        """The network: classes, input, runtime, and the limits of the server."""
        return JSONResponse(model_facts(served, pipeline.limits))

    @app.head("/healthz", include_in_schema=False)  # some monitors ask so
    @app.get("/healthz", response_class=PlainTextResponse, response_description="It answers")
    async def healthz() -> Response:
        """Whether the process answers."""
        return PlainTextResponse("ok\n")

    @app.head("/readyz", include_in_schema=False)
    @app.get("/readyz", response_class=PlainTextResponse, responses=BUSY, response_description="Ready")
    async def readyz() -> Response:
        """200 if all processes have loaded the network, and the queue of this one has room; otherwise 503."""
        pipeline.check_ready()
        return PlainTextResponse("ready\n")

    @app.get("/metrics", response_class=PlainTextResponse, response_description="The counters")
    async def metrics() -> Response:
        """Counters of all processes, in the text format of Prometheus."""
        return PlainTextResponse(pipeline.metrics.text(), media_type="text/plain; version=0.0.4")


async def _answer_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return problem_response(error)


async def _answer_http(request: Request, error: Exception) -> Response:
    """No such route, or no such method."""
    assert isinstance(error, HTTPException)
    return problem_response(Problem(error.status_code, str(error.detail), error.headers))


async def _answer_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    detail = "; ".join(f"{each['loc'][-1]}: {each['msg']}" for each in error.errors())
    return problem_response(Problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail))


async def _answer_fault(request: Request, error: Exception) -> Response:
    """A fault of ours: the log has it."""
    detail = "the server failed; its log has the reason"
    return problem_response(Problem(HTTPStatus.INTERNAL_SERVER_ERROR, detail))


_ERRORS: dict[type[Exception], Callable[[Request, Exception], Awaitable[Response]]] = {
    Problem: _answer_problem,
    HTTPException: _answer_http,
    RequestValidationError: _answer_invalid,
    Exception: _answer_fault,
}
