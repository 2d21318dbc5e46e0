"""The five object categories of the embedded data set."""

from aesc.synthetic.objects_bottle import BOTTLE
from aesc.synthetic.objects_capsule import CAPSULE
from aesc.synthetic.objects_circuit import CIRCUIT
from aesc.synthetic.objects_screw import SCREW
from aesc.synthetic.objects_washer import WASHER
from aesc.synthetic.spec import Spec

OBJECTS: tuple[Spec, ...] = (BOTTLE, CAPSULE, CIRCUIT, SCREW, WASHER)
