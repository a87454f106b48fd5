import asyncio


async def save(order):
    await asyncio.sleep(0.1)
    return order


async def is_known(user):
    await asyncio.sleep(0.1)
    return user == "root"


class Cart:
    async def flush(self):
        await asyncio.sleep(0)

    async def close(self):
        self.flush()  # expect: task-never-awaited


async def main(order):
    save(order)  # expect: task-never-awaited
    asyncio.sleep(1)  # expect: task-never-awaited
    result = save(order)  # expect: task-never-awaited
    if is_known(order):  # expect: task-never-awaited
        await save(order)
