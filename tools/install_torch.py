"""Install PyTorch into the running environment unless it is there: the CPU build where no GPU is.

Run it with the environment's own Python: ``.venv/bin/python tools/install_torch.py``. On Linux the
package index serves a CUDA build of several gigabytes, which a machine without an NVIDIA GPU cannot
use; everywhere else the index serves the right build. To choose another build, install it first.
"""

import importlib.metadata
import shutil
import subprocess
import sys

CPU_BUILD = "torch==2.13.0+cpu"
CPU_INDEX = "https://download.pytorch.org/whl/cpu"


def pip(*arguments: str, quiet: bool = False) -> bool:
    """Run ``pip install`` with ``arguments``, silently if ``quiet``; True if it succeeded."""
    command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", *arguments]
    output = subprocess.DEVNULL if quiet else None
    return subprocess.run(command, stdout=output, stderr=output, check=False).returncode == 0


def install_cpu_build() -> bool:
    """Install the CPU build from a wheel pip finds on this machine, else from PyTorch's own index.

    The first attempt never opens a connection. The second one gives up soon, because a machine that
    cannot reach PyTorch's index may well reach the ordinary one.
    """
    if pip("--no-index", "--no-deps", CPU_BUILD, quiet=True):
        return pip(CPU_BUILD)
    return pip("--retries", "1", "--timeout", "15", "--extra-index-url", CPU_INDEX, CPU_BUILD)


def main() -> int:
    """Return the exit code: 0 if torch is installed at the end."""
    try:
        print(f"torch {importlib.metadata.version('torch')} is installed and stays")
        return 0
    except importlib.metadata.PackageNotFoundError:
        pass
    if sys.platform == "linux" and shutil.which("nvidia-smi") is None:
        if install_cpu_build():
            return 0
        print("no CPU build to be had; installing the one of the package index", flush=True)
    return 0 if pip("torch") else 1


if __name__ == "__main__":
    sys.exit(main())
