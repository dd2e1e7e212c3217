"""Former name of `engines.onnx_predictor`, kept for programs that were written after the first release."""

from ifcn_tf.engines.onnx_predictor import OnnxPredictor

__all__ = ["OnnxPredictor"]
