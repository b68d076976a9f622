"""Label photos with an export of `retrain`: needs NumPy, Pillow and LiteRT, no TensorFlow.

from label_image.model import load_model
model = load_model("tf_files/model")
model.label(open("gato.jpg", "rb").read())
"""
