# Sleepers beside tasks that come and go as fast as the rate says: task w<k> runs work_<k % 8>, which runs
# inner_<k % 8>. Prints READY. usage: churn.py SLEEPERS TASKS-A-SECOND
import asyncio
import sys
import time

names = {"asyncio": asyncio}
for n in range(8):
    exec(f"async def inner_{n}():\n    await asyncio.sleep(0)\n"
         f"async def work_{n}():\n    await inner_{n}()\n    await inner_{n}()\n", names)


async def sleeper_inner():
    await asyncio.sleep(3600)


async def sleeper():
    await sleeper_inner()


async def main():
    sleepers = [asyncio.create_task(sleeper(), name=f"s{i}") for i in range(int(sys.argv[1]))]
    await asyncio.sleep(0)
    print("READY", flush=True)
    rate, start, k = float(sys.argv[2]), time.monotonic(), 0
    while sleepers:
        batch = [asyncio.create_task(names[f"work_{(k + i) % 8}"](), name=f"w{k + i}") for i in range(500)]
        k += len(batch)
        for t in batch:
            await t
        await asyncio.sleep(max(0, start + k / rate - time.monotonic()))


asyncio.run(main())
