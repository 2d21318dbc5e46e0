"""Detectors behind HTTP: an image in, a verdict out.

``aesc serve`` listens on this machine alone unless told otherwise. One thread computes, in the
order of arrival; a queue that is full answers at once, so that a line knows where it is.
"""

from aesc.serve.app import ServeSettings, create_app
from aesc.serve.hosts import LOOPBACK
from aesc.serve.running import listening, serve

__all__ = ["LOOPBACK", "ServeSettings", "create_app", "listening", "serve"]
