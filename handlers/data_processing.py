"""Process a dataset in steps, telling how far it is."""

import logging
import time
from typing import Any

from bananasd import GiveUp, Job, handler

log = logging.getLogger(__name__)

STEPS = ("reading", "cleaning", "joining", "counting", "writing")


@handler("data_processing", max_retries=2, timeout_seconds=300)
def data_processing(job: Job) -> dict[str, str | int]:
    """Payload: ``{"dataset": "signups"}``. Result: the dataset and the number of steps that were done."""
    dataset = _dataset(job.payload)
    for number, step in enumerate(STEPS, start=1):
        log.info("%s %s", step, dataset)
        time.sleep(0.5)  # here a real handler would work
        job.set_progress(number, len(STEPS), f"{step} done")  # anyone can see it: bananasd job ID
    return {"dataset": dataset, "steps": len(STEPS)}


def _dataset(payload: Any) -> str:
    dataset = payload.get("dataset") if isinstance(payload, dict) else None
    if not isinstance(dataset, str) or not dataset:
        raise GiveUp('the payload names no dataset: want {"dataset": "signups"}')
    return dataset
