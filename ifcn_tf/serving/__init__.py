"""A light client of exported models on TensorFlow Serving: bytes go to the server, masks are pasted here.

import ifcn_tf.serving
proposals = ifcn_tf.serving.connect("localhost:8501").propose("photo.jpg")

REST needs no TensorFlow; gRPC (`protocol="grpc"`) brings it along with its messages. A light installation:

    pip install --no-deps --editable .
    pip install numpy pillow pycocotools requests
    pip install absl-py contourpy rich scipy  # for pipelines.request too
"""

from ifcn_tf.serving.client import Client, connect
from ifcn_tf.serving.transport import RequestConfig

__all__ = ["Client", "RequestConfig", "connect"]
