"""The kernel that runs a notebook: this Python, whatever kernels a user has installed."""

from __future__ import annotations

import os
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from jupyter_core.paths import jupyter_runtime_dir
from traitlets import Dict

from aesc.files import remove_abandoned, temporary_beside
from aesc.machine import thread_limits, usable_cores

NAME = "python3"
"""What notebooks call the kernel of Python."""

# Warnings of the kernel's own would be taken for warnings of the run.
ARGUMENTS = ["--IPKernelApp.log_level=50"]


class OwnKernelManager(AsyncKernelManager):
    """Starts kernels of the Python that runs this process.

    A user's kernelspec named ``python3`` may belong to another Python, which lacks the package. The
    kernel's own stdout and stderr are kept from the terminal: what a notebook prints comes through
    its cells, and on a busy machine a kernel logs faults of its own closing down.
    """

    environment = Dict(help="Variables beside those of this process.").tag(config=True)

    def __init__(self, **settings: Any) -> None:
        folder = Path(jupyter_runtime_dir())
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        remove_abandoned(folder, "aesc")  # connection files of killed processes
        file = temporary_beside(folder / "aesc", ".json")
        super().__init__(connection_file=str(file), **settings)

    @property
    def kernel_spec(self) -> KernelSpec:
        """How a kernel is started, read by Jupyter; not from the user's kernelspecs.

        Raises:
            ModuleNotFoundError: the kernel's package is missing, which its death would not tell.
        """
        if find_spec("ipykernel") is None:
            raise ModuleNotFoundError("No module named 'ipykernel'", name="ipykernel")
        module = ["-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(
            argv=[sys.executable, *module], display_name="Python 3", language="python"
        )

    # Jupyter wraps the method so that its type no longer says that it is a coroutine.
    async def start_kernel(self, **settings: Any) -> None:  # type: ignore[override]
        """Start it, with no more threads than it has cores; arguments as Jupyter gives them."""
        environment = {**os.environ, **self.environment}
        if "OMP_NUM_THREADS" not in environment and usable_cores() < torch.get_num_threads():
            environment |= thread_limits(usable_cores())  # torch does not know of quotas
        with tempfile.TemporaryFile() as discarded:
            await super().start_kernel(
                env=environment, stdout=discarded, stderr=discarded, **settings
            )
