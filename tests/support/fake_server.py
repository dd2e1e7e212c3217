"""Stand-ins for TensorFlow Serving on loopback: its REST and gRPC interfaces in front of a function."""

from __future__ import annotations

import base64
import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from concurrent import futures
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from ifcn_tf.config.proposing import ProposerConfig
from ifcn_tf.images.tensors import decode
from ifcn_tf.predictor import Predictor
from ifcn_tf.serving.transport import INPUT, SIGNATURE

#: An encoded image -> the outputs of the signature `serving_default`.
Model = Callable[[bytes], dict[str, np.ndarray]]


class BrokenError(Exception):
    """What a model raises to make its server fail: an HTTP status, the gRPC status of the same meaning, a message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        codes = {400: "INVALID_ARGUMENT", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED", 503: "UNAVAILABLE"}
        self.code = grpc.StatusCode[codes[status]]


def padded_answer(predictor: Predictor, encoded: bytes, count: int) -> dict[str, np.ndarray]:
    """What an exported model answers for one image: everything with a leading 1, padded with zeros to `count`."""
    image = decode(encoded)
    found = {name: value.numpy() for name, value in predictor._graph(image).items()}
    number = len(found["scores"])
    outputs = {
        name: np.pad(value, [(0, count - number)] + [(0, 0)] * (value.ndim - 1))[None] for name, value in found.items()
    }
    return outputs | rest_of_answer(number, tuple(image.shape[:2]), predictor.config)


def rest_of_answer(number: int, size_hw: tuple[int, int], config: object, error: str = "") -> dict[str, np.ndarray]:
    return {
        "num_proposals": np.array([number], np.int32),
        "image_hw": np.array([size_hw], np.int32),
        "mask_threshold": np.array([config.mask_threshold], np.float32),
        "min_area": np.array([config.min_area], np.float32),
        "error": np.array([error.encode()], object),
    }


@contextlib.contextmanager
def rest_server(model: Model, versions: dict[int, str] | None = None) -> Iterator[str]:
    """Serves a model called ifcn by REST; gives HOST:PORT."""
    states = [{"version": str(n), "state": state} for n, state in (versions or {1: "AVAILABLE"}).items()]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.path == "/v1/models/ifcn"
            missing = {"error": f"Could not find any versions of model {self.path.split('/')[-1]}"}
            self.reply(200 if known else 404, {"model_version_status": states} if known else missing)

        def do_POST(self) -> None:
            try:
                body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)))
            except ValueError as error:
                return self.reply(400, {"error": f"JSON Parse error: {error}"})
            place, _, verb = self.path.partition(":")
            if place not in ("/v1/models/ifcn", *(f"/v1/models/ifcn/versions/{s['version']}" for s in states)):
                return self.reply(404, {"error": "Servable not found for request"})
            assert (verb, body["signature_name"]) == ("predict", SIGNATURE)
            (image,) = body["inputs"][INPUT]
            try:
                outputs = model(base64.b64decode(image["b64"]))
            except BrokenError as error:
                return self.reply(error.status, {"error": str(error)})
            as_json = {
                name: [text.decode() for text in value] if value.dtype == object else value.tolist()
                for name, value in outputs.items()
            }
            self.reply(200, {"outputs": as_json})

        def reply(self, status: int, content: object) -> None:
            body = json.dumps(content).encode()
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the client gave up
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@contextlib.contextmanager
def grpc_server(model: Model, versions: dict[int, str] | None = None) -> Iterator[str]:
    """Serves a model called ifcn by gRPC, with TensorFlow Serving's own messages; gives HOST:PORT."""
    states = versions or {1: "AVAILABLE"}

    class Prediction(prediction_service_pb2_grpc.PredictionServiceServicer):
        def Predict(self, request, context):  # noqa: N802
            require_model(request.model_spec, context)
            assert request.model_spec.signature_name == SIGNATURE
            (encoded,) = tf.make_ndarray(request.inputs[INPUT])
            try:
                outputs = model(encoded)
            except BrokenError as error:
                context.abort(error.code, str(error))
            answer = predict_pb2.PredictResponse()
            for name, value in outputs.items():
                answer.outputs[name].CopyFrom(tf.make_tensor_proto(value))
            return answer

    class Status(model_service_pb2_grpc.ModelServiceServicer):
        def GetModelStatus(self, request, context):  # noqa: N802
            require_model(request.model_spec, context)
            answer = get_model_status_pb2.GetModelStatusResponse()
            for number, state in states.items():
                answer.model_version_status.add(version=number, state=state)
            return answer

    def require_model(spec, context):
        if spec.name != "ifcn" or (spec.HasField("version") and spec.version.value not in states):
            context.abort(grpc.StatusCode.NOT_FOUND, f"Servable not found for request: Latest({spec.name})")

    limits = [("grpc.max_receive_message_length", 2**28), ("grpc.max_send_message_length", 2**28)]
    server = grpc.server(futures.ThreadPoolExecutor(8), options=limits)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(Prediction(), server)
    model_service_pb2_grpc.add_ModelServiceServicer_to_server(Status(), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None)


#: Settings of a client that does not let tests wait.
QUICK = {"attempts": 3, "first_pause": 0.001, "timeout": 5.0}
SERVERS = {"rest": rest_server, "grpc": grpc_server}


def constant_answer(size_hw=(20, 30), **changes):
    """One proposal, the left half of the image; two places are padding."""
    logits = np.full((1, 3, 21, 21), -5, np.float32)
    logits[0, 0, :, :10] = 5.0
    logits[0, 1:] = 5.0  # padding may hold anything
    answer = {
        "scores": np.array([[0.75, 0, 0]], np.float32),
        "windows_yxyx": np.zeros((1, 3, 4), np.float32) + np.float32([0, 0, *size_hw]),
        "boxes_yxyx": np.zeros((1, 3, 4), np.float32),
        "mask_logits": logits,
    } | rest_of_answer(1, size_hw, ProposerConfig())
    changed = {**answer, **changes}
    return {name: value for name, value in changed.items() if value is not None}
