import asyncio
import threading

ready = asyncio.Event()
stopped = threading.Event()


def listen(loop):
    loop.call_soon_threadsafe(ready.set)
    stopped.set()


def own_loop():
    loop = asyncio.new_event_loop()
    loop.call_soon(print, "mine")
    loop.run_forever()


async def main():
    loop = asyncio.get_running_loop()
    threading.Thread(target=listen, args=(loop,)).start()
    threading.Thread(target=own_loop).start()
    await ready.wait()
