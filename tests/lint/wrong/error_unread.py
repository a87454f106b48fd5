import asyncio


async def refresh():
    await asyncio.sleep(1)
    raise ConnectionError("no server")


async def main():
    asyncio.create_task(refresh())  # expect: task-error-unread
    loop = asyncio.get_running_loop()
    job = loop.create_task(refresh())  # expect: task-error-unread
    await asyncio.sleep(10)
