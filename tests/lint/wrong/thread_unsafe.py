import asyncio
import threading

ready = asyncio.Event()


def announce():
    ready.set()  # expect: thread-unsafe


def listen(loop):
    announce()
    loop.call_soon(print, "hello")  # expect: thread-unsafe


async def main():
    loop = asyncio.get_running_loop()
    threading.Thread(target=listen, args=(loop,)).start()
    await ready.wait()
