"""A light client of exported models on TensorFlow Serving: bytes go to the server, masks are pasted here.

import ifcn_tf.serving
proposals = ifcn_tf.serving.connect("localhost:8501").propose("photo.jpg")

REST needs no TensorFlow; gRPC (`protocol="grpc"`) brings it along with its messages.
"""

from ifcn_tf.serving.client import Client, connect
from ifcn_tf.serving.transport import RequestConfig

__all__ = ["Client", "RequestConfig", "connect"]
