"""Scripts of other projects that pages need, so that the book asks the network for nothing.

They are fetched from the npm registry at a fixed version, checked against a fixed hash, kept under
``_build/vendor``, and never committed. Where they cannot be fetched, the book refers to the public
addresses that Jupyter Book knows.
"""

import base64
import hashlib
import io
import shutil
import tarfile
import urllib.request
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import yaml

REGISTRY = "https://registry.npmjs.org"
TIMEOUT = 60
ASSETS = "offline_assets"


@dataclass(frozen=True)
class Package:
    """A package of the npm registry: its archive, the archive's SHA-512, the files to keep.

    ``keep`` names files or folders inside the archive and where they go.
    """

    name: str
    version: str
    sha512: str
    keep: dict[str, str]

    @property
    def url(self) -> str:
        """Address of the archive."""
        return f"{REGISTRY}/{self.name}/-/{self.name.rsplit('/')[-1]}-{self.version}.tgz"


PAGES = (
    Package(
        "mathjax",
        "3.2.2",
        "Bt+SSVU8eBG27zChVewOicYs7Xsdt40qm4+UpHyX7k0/O9NliPc+x77k1/FEsPsjKPZGJvtRZM1vO+geW0OhGw==",
        {
            "es5/tex-mml-chtml.js": "mathjax/tex-mml-chtml.js",
            "es5/output/chtml/fonts/woff-v2": "mathjax/output/chtml/fonts/woff-v2",
            "LICENSE": "mathjax/LICENSE",
        },
    ),
    Package(
        "requirejs",
        "2.3.7",
        "DouTG8T1WanGok6Qjg2SXuCMzszOo0eHeH9hDZ5Y4x8Je+9JB38HdTLT4/VA8OaUhBa0JPVHJ0pyBkM1z+pDsw==",
        {"require.js": "requirejs/require.js"},
    ),
    Package(
        "@jupyter-widgets/html-manager",
        "1.0.14",
        "wglgQQ+VMj+MBKkTttdeoMtOah/H2A1w5GU1OAVXmDQqZYTK6C+oHZjQMxcNezIpiqUjC1YHKOo5XdP3ENvBng==",
        {"dist/embed-amd.js": "html-manager/embed-amd.js", "LICENSE": "html-manager/LICENSE"},
    ),
)
AXE = Package(
    "axe-core",
    "4.10.3",
    "Xm7bpRXnDSX2YE2YFfBk2FnF0ep6tmG7xPh8iHee8MIcrgq762Nkce856dYtJYLkuIoYZvGfTs/PbZhideTcEg==",
    {"axe.min.js": "axe/axe.min.js"},
)


def fetch(package: Package, folder: Path) -> None:
    """Put the kept files of a package into ``folder``, unless they are there.

    Raises OSError when the archive cannot be fetched or has another hash.
    """
    if all((folder / target).exists() for target in package.keep.values()):
        return
    with urllib.request.urlopen(package.url, timeout=TIMEOUT) as answer:
        archive = answer.read()
    found = base64.b64encode(hashlib.sha512(archive).digest()).decode()
    if found != package.sha512:
        raise OSError(f"{package.url} has another SHA-512 than expected")
    with tarfile.open(fileobj=io.BytesIO(archive)) as files:
        for member in files.getmembers():
            target = _target(package, member.name)
            file = files.extractfile(member) if member.isfile() else None
            if target is not None and file is not None:
                path = folder / target
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(file.read())


def _target(package: Package, member: str) -> str | None:
    """Where a member of the archive goes; None for those that are not kept."""
    path = PurePosixPath(*PurePosixPath(member).parts[1:])
    for source, target in package.keep.items():
        if path == PurePosixPath(source):
            return target
        if path.is_relative_to(source):
            return str(PurePosixPath(target, path.relative_to(source)))
    return None


def use(staging: Path, vendor: Path) -> bool:
    """Let the book in ``staging`` bring its own scripts; False where they cannot be fetched."""
    try:
        for package in PAGES:
            fetch(package, vendor)
    except OSError as error:
        print(f"The pages will load scripts from public addresses, as these are missing: {error}")
        return False
    names = {PurePosixPath(t).parts[0] for p in PAGES for t in p.keep.values()}
    for name in names:
        shutil.copytree(vendor / name, staging / ASSETS / name, dirs_exist_ok=True)
    path = staging / "_config.yml"
    settings = yaml.safe_load(path.read_text(encoding="utf-8"))
    sphinx = settings["sphinx"]["config"]
    sphinx["html_static_path"] = [*sphinx["html_static_path"], ASSETS]
    sphinx["mathjax_path"] = "mathjax/tex-mml-chtml.js"
    sphinx["nb_ipywidgets_js"] = {
        "requirejs/require.js": {},
        "html-manager/embed-amd.js": {},
    }
    path.write_text(yaml.safe_dump(settings, allow_unicode=True, sort_keys=False), encoding="utf-8")
    return True
