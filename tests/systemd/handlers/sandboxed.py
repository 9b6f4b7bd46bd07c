"""Handlers that try what they may and what they may not."""

import ctypes
import mmap
import multiprocessing
import socket
import subprocess
import threading

from bananasd import handler


def square(number):
    return number * number


@handler("sandboxed")
def sandboxed(job):
    """What libraries do that handlers use."""
    told = []
    thread = threading.Thread(target=lambda: told.append("a thread"))
    thread.start()
    thread.join()
    told.append(
        subprocess.run(
            ["sh", "-c", "nice echo a program"], capture_output=True, text=True, check=True
        ).stdout.strip()
    )
    with multiprocessing.get_context("fork").Pool(2) as pool:
        told.append(f"a pool: {sum(pool.map(square, range(4)))}")
    callback = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int)(square)
    told.append(f"a callback from C: {callback(3)}")
    mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC).write(b"\xc3")
    told.append("code made at run time")
    told.append(
        socket.getaddrinfo("localhost", 80, type=socket.SOCK_STREAM)[0][4][0].replace("::1", "127.0.0.1")
    )
    return told


@handler("forbidden")
def forbidden(job):
    """Where it got in though it should not have."""
    open_doors = []
    for path in (
        "/etc/bananasd/handlers/more.py",
        "/run/lock/more",
        "/opt/bananasd/more",
        "/root/more",
        "/var/lib/more",
    ):
        try:
            open(path, "w").close()
            open_doors.append(path)
        except OSError:
            pass
    return open_doors
