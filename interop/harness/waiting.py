"""Waiting for something to become true: a condition looked at often, with a deadline that fails loudly."""

import time


def wait_until(condition, what: str, seconds: float = 30.0, interval: float = 0.02):
    """Returns the first true value of `condition()`; fails with `what` when there was none in time."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"after {seconds:g} s still not so: {what}")
        time.sleep(interval)
