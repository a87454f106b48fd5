import asyncio

lock = asyncio.Lock()


async def pay(order):
    async with lock:
        await asyncio.sleep(1)


async def old_style(order):
    await lock.acquire()
    try:
        await asyncio.sleep(1)
    finally:
        lock.release()


async def worker(queue):
    while True:
        try:
            await queue.get()
        except asyncio.CancelledError:
            print("leaving")
            raise
        except Exception as e:
            print(e)
