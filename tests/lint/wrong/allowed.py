import time


async def once():
    time.sleep(0.1)  # loopscope: ignore[loop-sync-io]
    # once, at start: loopscope: ignore
    time.sleep(0.2)
    time.sleep(0.3)  # loopscope: ignore[loop-cpu]  expect: loop-sync-io
