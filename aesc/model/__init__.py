"""The networks of the paper: `AESc`, an autoencoder with skip connections, and `AE`, without them.

The network in `aesc.model.network`, seven lines from the image to its reconstruction, is both the
definition and what is trained; one layer of it, `UpConv`, computes up-sampling and convolution in a
faster way than it is written, and is tested against `UpConv.plain`. A trained network that is only
applied is prepared once (`AESc.for_inference`): the same levels with merged batch norms and
kernels, the encoder shared by the passes of Monte-Carlo dropout.

Source: Collin & De Vleeschouwer (ICPR 2020), section III, and the authors' Keras code, whose
defaults are followed (LeakyReLU slope 0.3, batch-norm epsilon 1e-3, Glorot-uniform weights, "same"
padding), so that weights moved over from there give the same output.
"""

from aesc.model._inference import InferenceNetwork
from aesc.model.layers import EPSILON, SLOPE, DownConv, Level, UpConv, dropout, same_padding
from aesc.model.network import AE, AESc

__all__ = [
    "AE",
    "EPSILON",
    "SLOPE",
    "AESc",
    "DownConv",
    "InferenceNetwork",
    "Level",
    "UpConv",
    "dropout",
    "same_padding",
]
