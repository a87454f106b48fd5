import asyncio


async def fetch(user):
    await asyncio.sleep(1)
    return user


async def limited(users):
    slots = asyncio.Semaphore(10)

    async def one(user):
        async with slots:
            return await fetch(user)

    return await asyncio.gather(*[one(u) for u in users])


async def three():
    return await asyncio.gather(*[fetch(u) for u in ("a", "b", "c")])


async def workers(queue):
    tasks = [asyncio.create_task(fetch(i)) for i in range(10)]
    await asyncio.gather(*tasks)


async def pool(queue, size):
    tasks = [asyncio.create_task(fetch(queue)) for _ in range(size)]
    await asyncio.gather(*tasks)


class Server:
    def __init__(self):
        self.listeners = []

    async def close(self):
        await asyncio.gather(*[x.close() for x in self.listeners])
