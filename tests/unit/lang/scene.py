# Tasks in every state, and the program's own account of them: prints READY, then for each task
# "TASK name|coroutine|state|awaiter|awaited functions, outermost first" and END. Runs on 3.9 and later.
import asyncio
import sys

if "uvloop" in sys.argv:
    import uvloop

    uvloop.install()

hold = []
tasks = {}


async def leaf(n):
    await asyncio.sleep(n)


async def middle(n):
    await leaf(n)


async def top(n):
    await middle(n)


async def fails():
    raise ValueError("lost")


async def numbers():
    for i in range(9):
        await asyncio.sleep(3600)
        yield i


async def counts():
    async for _ in numbers():
        pass


async def gathers():
    await asyncio.gather(middle(3600), middle(3601))


async def on_future():
    await asyncio.get_running_loop().create_future()


async def takes():
    await asyncio.Queue().get()


async def waits_for(name):
    await asyncio.sleep(0.02)
    await tasks[name]


async def stubborn():
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            pass


async def never():
    pass


def go(coroutine, name):
    tasks[name] = asyncio.get_running_loop().create_task(coroutine, name=name)


def account():
    rows = [
        ("deep", "top", "waiting", "above", "top middle leaf sleep"),
        ("fails", "fails", "failed", "-", ""),
        ("counts", "counts", "waiting", "-", "counts numbers sleep"),
        ("gathers", "gathers", "waiting", "-", "gathers"),
        ("future", "on_future", "waiting", "-", "on_future"),
        ("takes", "takes", "waiting", "-", "takes get"),
        ("above", "waits_for", "waiting", "-", "waits_for"),
        ("ring-a", "waits_for", "waiting", "ring-b", "waits_for"),
        ("ring-b", "waits_for", "waiting", "ring-a", "waits_for"),
        ("stubborn", "stubborn", "waiting", "-", "stubborn sleep"),
        ("orphan", "on_future", "waiting", "-", "on_future"),
    ]
    for r in rows:
        print("TASK", "|".join(r), flush=True)
    print("END", flush=True)


async def main():
    go(top(3600), "deep")
    go(fails(), "fails")
    go(counts(), "counts")
    go(gathers(), "gathers")
    go(on_future(), "future")
    go(takes(), "takes")
    go(waits_for("deep"), "above")
    go(waits_for("ring-b"), "ring-a")
    go(waits_for("ring-a"), "ring-b")
    go(stubborn(), "stubborn")
    asyncio.get_running_loop().create_task(on_future(), name="orphan")  # a cycle only holds it
    await asyncio.sleep(0.1)
    tasks["stubborn"].cancel()
    await asyncio.sleep(0.1)
    hold.append(never())
    print("READY", flush=True)
    account()
    while True:
        await asyncio.sleep(3600)


asyncio.run(main())
