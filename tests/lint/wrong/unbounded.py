import asyncio


async def fetch(user):
    await asyncio.sleep(1)
    return user


async def all_at_once(users):
    return await asyncio.gather(*[fetch(u) for u in users])  # expect: task-unbounded


async def spawned(users):
    tasks = []
    for user in users:
        tasks.append(asyncio.create_task(fetch(user)))  # expect: task-unbounded
    return await asyncio.gather(*tasks)


async def many():
    tasks = [asyncio.create_task(fetch(i)) for i in range(10_000)]  # expect: task-unbounded
    await asyncio.gather(*tasks)
