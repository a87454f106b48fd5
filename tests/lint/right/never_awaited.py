import asyncio


async def save(order):
    await asyncio.sleep(0.1)
    return order


async def is_known(user):
    await asyncio.sleep(0.1)
    return user == "root"


async def rows():
    yield 1


class Cart:
    def flush(self):
        pass

    async def close(self):
        self.flush()


class SlowCart(Cart):
    async def close(self):
        await super().close()


def plan(order):
    return save(order)


async def main(order):
    await save(order)
    pending = save(order)
    await pending
    await plan(order)
    if await is_known(order):
        await asyncio.sleep(1)
    async for _ in rows():
        pass


asyncio.run(main(1))
