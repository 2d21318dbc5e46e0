"""The five texture categories of the embedded data set."""

from aesc.synthetic.spec import Spec
from aesc.synthetic.textures.cloth import CLOTH
from aesc.synthetic.textures.hide import HIDE
from aesc.synthetic.textures.mesh import MESH
from aesc.synthetic.textures.terrazzo import TERRAZZO
from aesc.synthetic.textures.wood import WOOD

TEXTURES: tuple[Spec, ...] = (CLOTH, MESH, WOOD, TERRAZZO, HIDE)
