"""From a picture to an answer: preparation, model files, confidence thresholds, saliency, ONNX export."""
