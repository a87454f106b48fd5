import asyncio

lock = asyncio.Lock()


async def pay(order):
    await lock.acquire()  # expect: task-cancel-leak
    await asyncio.sleep(1)
    lock.release()


async def worker(queue):
    while True:
        try:
            await queue.get()
        except asyncio.CancelledError:  # expect: task-cancel-ignored
            print("not now")
