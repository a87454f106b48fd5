import asyncio

background = set()


async def refresh():
    await asyncio.sleep(1)
    raise ConnectionError("no server")


async def careful():
    try:
        await refresh()
    except Exception as e:
        print("refresh:", e)


def told(task):
    background.discard(task)
    if not task.cancelled() and task.exception():
        print("failed:", task.exception())


async def main():
    task = asyncio.create_task(refresh())
    background.add(task)
    task.add_done_callback(told)
    async with asyncio.TaskGroup() as group:
        group.create_task(refresh())
    asyncio.create_task(careful())
