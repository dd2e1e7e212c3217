"""gRPC with TensorFlow Serving's own messages, which bring TensorFlow along: apart, so that REST stays light."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import (
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from ifcn_tf.common.files import UserError
from ifcn_tf.serving.transport import (
    INPUT,
    SIGNATURE,
    RefusedError,
    RequestConfig,
    busy,
    late,
    loading,
    not_there,
    one_line,
    refused,
    too_large,
    unreachable,
)


class GrpcTransport:
    """A `Transport` to the gRPC port of TensorFlow Serving; may be used from several threads.

    Args:
        server: "HOST:PORT", or "https://HOST:PORT" where the server is behind TLS.
        config: model, limits and timeouts.
    """

    def __init__(self, server: str, config: RequestConfig) -> None:
        self._server, self._config = server, config
        channel = _channel(server, config.max_message_bytes)
        self._status = model_service_pb2_grpc.ModelServiceStub(channel).GetModelStatus
        self._predict = prediction_service_pb2_grpc.PredictionServiceStub(channel).Predict

    def versions(self) -> list[int]:
        """See `Transport`."""
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = self._config.model
        states = self._call(self._status, request, 0).model_version_status
        ready = [state.version for state in states if state.state == state.AVAILABLE]
        if not ready:
            raise loading(self._server, self._config)
        return ready

    def predict(self, encoded: bytes, version: int) -> dict[str, np.ndarray]:
        """See `Transport`."""
        request = predict_pb2.PredictRequest()
        request.model_spec.name, request.model_spec.signature_name = self._config.model, SIGNATURE
        if version:
            request.model_spec.version.value = version
        request.inputs[INPUT].CopyFrom(tf.make_tensor_proto([encoded], tf.string))
        if request.ByteSize() > self._config.max_message_bytes:
            raise too_large("the request", request.ByteSize(), self._config)
        answer = self._call(self._predict, request, version)
        try:
            return {name: tf.make_ndarray(tensor) for name, tensor in answer.outputs.items()}
        except (TypeError, ValueError) as error:
            raise UserError(f"{self._server} answered without readable outputs: serve an exported model.") from error

    def _call(self, method: Callable[..., Any], request: Any, version: int) -> Any:
        try:
            return method(request, timeout=self._config.timeout)
        except grpc.RpcError as error:
            raise self._explained(error, version) from error

    def _explained(self, error: grpc.RpcError, version: int) -> UserError:
        code, detail = error.code(), error.details() or ""
        if code == grpc.StatusCode.RESOURCE_EXHAUSTED and "larger than max" in detail:  # gRPC's own, on either side
            return RefusedError(f"{self._server}: {one_line(detail)}; raise the limit (--max_mb, or the server's).")
        if code == grpc.StatusCode.DEADLINE_EXCEEDED:
            return late(self._server, self._config)
        if code == grpc.StatusCode.RESOURCE_EXHAUSTED or "queue" in detail:  # the server's queue is full
            return busy(self._server, code.name, detail)
        if code == grpc.StatusCode.UNAVAILABLE:
            return unreachable(self._server, "gRPC", f" [{one_line(detail)}]")
        if code == grpc.StatusCode.NOT_FOUND:
            return not_there(self._server, self._config, version, detail)
        return refused(self._server, self._config, f"{detail} ({code.name})")


def _channel(server: str, max_bytes: int) -> grpc.Channel:
    scheme, _, address = server.rpartition("://")
    options = [("grpc.max_send_message_length", max_bytes), ("grpc.max_receive_message_length", max_bytes)]
    if scheme == "https":
        return grpc.secure_channel(address, grpc.ssl_channel_credentials(), options)
    return grpc.insecure_channel(address, options)
