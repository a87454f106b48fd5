import asyncio
import time


async def fetch(url):
    await asyncio.sleep(30)
    return url


def crunch(n):
    time.sleep(n)


async def main(urls):
    await asyncio.wait_for(asyncio.shield(fetch("a")), 1)  # expect: task-timeout-runs-on
    await asyncio.wait_for(asyncio.to_thread(crunch, 30), 1)  # expect: task-timeout-runs-on
    tasks = [asyncio.create_task(fetch(u)) for u in ("a", "b")]
    done, pending = await asyncio.wait(tasks, timeout=1)  # expect: task-timeout-runs-on
    return [t.result() for t in done]
