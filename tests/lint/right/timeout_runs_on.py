import asyncio


async def fetch(url):
    await asyncio.sleep(30)
    return url


async def main(urls):
    await asyncio.wait_for(fetch("a"), 1)
    kept = asyncio.create_task(fetch("b"))
    try:
        await asyncio.wait_for(asyncio.shield(kept), 1)
    except asyncio.TimeoutError:
        kept.cancel()
    tasks = [asyncio.create_task(fetch(u)) for u in ("a", "b")]
    done, pending = await asyncio.wait(tasks, timeout=1)
    for task in pending:
        task.cancel()
    await asyncio.gather(*pending, return_exceptions=True)
