"""The five texture categories of the embedded data set."""

from aesc.synthetic.spec import Spec
from aesc.synthetic.textures_cloth import CLOTH
from aesc.synthetic.textures_hide import HIDE
from aesc.synthetic.textures_mesh import MESH
from aesc.synthetic.textures_terrazzo import TERRAZZO
from aesc.synthetic.textures_wood import WOOD

TEXTURES: tuple[Spec, ...] = (CLOTH, MESH, WOOD, TERRAZZO, HIDE)
