import asyncio
import queue
import threading


class Shared:
    def __init__(self):
        self.lock = threading.Lock()
        self.jobs = queue.Queue()

    async def update(self):
        with self.lock:  # expect: loop-lock
            await asyncio.sleep(1)

    async def next(self):
        return self.jobs.get()  # expect: loop-lock
