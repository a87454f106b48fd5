import asyncio
import queue
import threading


class Shared:
    def __init__(self):
        self.lock = threading.Lock()
        self.tasks = asyncio.Lock()
        self.jobs = queue.Queue()

    async def update(self):
        async with self.tasks:
            await asyncio.sleep(1)
        with self.lock:
            self.count = 1

    async def poll(self):
        while self.jobs.empty():
            await asyncio.sleep(0.1)
        return self.jobs.get()

    async def next(self):
        try:
            return self.jobs.get(block=False)
        except queue.Empty:
            return await asyncio.to_thread(self.jobs.get)
