"""The five object categories of the embedded data set."""

from aesc.synthetic.objects.bottle import BOTTLE
from aesc.synthetic.objects.capsule import CAPSULE
from aesc.synthetic.objects.circuit import CIRCUIT
from aesc.synthetic.objects.screw import SCREW
from aesc.synthetic.objects.washer import WASHER
from aesc.synthetic.spec import Spec

OBJECTS: tuple[Spec, ...] = (BOTTLE, CAPSULE, CIRCUIT, SCREW, WASHER)
