"""The jobs of the benchmark. A run notes its time with one write that appends, so no two lines ever mix."""

import os
import time

from bananasd import Job, handler

STAMPS = os.open(os.environ["BENCH_STAMPS"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

if os.environ.get("BENCH_BATCHES") == "none":
    # No setting says this: a batch lasts 10 ms, and what it costs those who wait is what `mixed` measures.
    from bananasd.processes import batch

    if batch.MAX_BATCH < 1:
        raise RuntimeError(f"MAX_BATCH of bananasd.processes.batch is {batch.MAX_BATCH}: want at least 1")
    batch.MAX_BATCH = 1


@handler("noop")
def noop(_job: Job) -> None:
    """Nothing but a line of 20 bytes: when it ran."""
    os.write(STAMPS, b"%019d\n" % time.monotonic_ns())


@handler("timed")
def timed(job: Job) -> None:
    """Take ``ms``, and note the kind of job, when it was sent, when it began, and when it ended."""
    began = time.monotonic_ns()
    payload = job.payload
    if payload["ms"]:
        time.sleep(payload["ms"] / 1000)
    line = f"{payload['kind']} {payload['sent']} {began} {time.monotonic_ns()}\n"
    os.write(STAMPS, line.encode())
