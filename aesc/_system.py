"""What operating systems do in their own way: lock a file, write it to the disk, list processes."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path


def lock(descriptor: int) -> None:
    """Take the lock on an open file, which closing it gives back, or fail at once."""
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def is_alive(pid: int) -> bool:
    """Whether there is a process of that number. What cannot be known counts as alive."""
    if sys.platform == "win32":  # where os.kill ends a process
        query, still_active = 0x1000, 259
        kernel32 = ctypes.windll.kernel32
        handle = kernel32.OpenProcess(query, False, pid)
        if not handle:
            return kernel32.GetLastError() == 5  # access denied: it is somebody else's
        code = ctypes.c_ulong()
        kernel32.GetExitCodeProcess(handle, ctypes.byref(code))
        kernel32.CloseHandle(handle)
        return code.value == still_active
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):
        return True
    return True


def to_disk(path: Path) -> None:
    """Have the system write a file, or the names in a folder, to the disk."""
    folder = path.is_dir()
    if folder and sys.platform == "win32":
        return
    descriptor = os.open(path, os.O_RDONLY if folder else os.O_RDWR)
    try:
        os.fsync(descriptor)
    except OSError:
        if not folder:  # some file systems refuse this for folders
            raise
    finally:
        os.close(descriptor)
