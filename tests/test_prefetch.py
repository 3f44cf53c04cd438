"""Results that threads compute ahead come in order, and a generator that is given up leaves nothing waiting."""

import subprocess
import sys
import time
from concurrent.futures import wait

import pytest

from cyclegan import prefetch
from cyclegan.prefetch import map_ahead

COLLECTED_WHILE_A_THREAD_STARTS = """
import threading
from cyclegan.prefetch import map_ahead

numbers = map_ahead(abs, range(-100, 0), workers=2)
print(next(numbers))
with getattr(threading, "_shutdown_locks_lock", threading.Lock()):  # held while a thread starts or ends
    del numbers
"""


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_results_come_in_order(workers):
    assert list(map_ahead(lambda number: -number, range(50), workers=workers)) == [-number for number in range(50)]


def test_a_generator_collected_while_a_thread_starts_does_not_wait_for_ever():
    code = [sys.executable, "-c", COLLECTED_WHILE_A_THREAD_STARTS]
    result = subprocess.run(code, capture_output=True, text=True, timeout=120, check=True)
    assert result.stdout == "100\n"


def test_closing_cancels_what_has_not_begun_and_waits_for_the_rest(monkeypatch):
    begun, ended = [], []

    def work(number: int) -> int:
        begun.append(number)
        time.sleep(0.05)
        ended.append(number)
        return number

    waited: list[float] = []
    monkeypatch.setattr(prefetch, "wait", lambda futures, seconds: (waited.append(seconds), wait(futures, seconds)))
    numbers = map_ahead(work, range(1000), workers=2, ahead=20)
    assert next(numbers) == 0
    numbers.close()
    assert sorted(begun) == sorted(ended)
    assert len(begun) < 10
    assert waited == [prefetch.MAX_CLOSING_SECONDS]
