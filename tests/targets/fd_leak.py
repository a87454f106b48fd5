# Leaks and what only looks like one.
#
#   fd_leak.py cancelled   a file is kept where its task is cancelled between open and close
#   fd_leak.py sites       two functions open by os.open, one of them never closes
#   fd_leak.py closewait   accepts, never reads: peers close, it does not
#   fd_leak.py healthy     the same work, closed in finally
import asyncio
import os
import socket
import sys

EVERY = float(sys.argv[2]) if len(sys.argv) > 2 else 0.02


async def fetch_report(number):
    fd = os.open('/etc/hostname', os.O_RDONLY)
    await asyncio.sleep(EVERY * (20 if number % 5 == 0 else 1))
    os.close(fd)  # never reached when the task is cancelled


async def fetch_report_well(number):
    fd = os.open('/etc/hostname', os.O_RDONLY)
    try:
        await asyncio.sleep(EVERY * (20 if number % 5 == 0 else 1))
    finally:
        os.close(fd)


async def with_timeouts(fetch):
    number = 0
    while True:
        number += 1
        try:
            await asyncio.wait_for(fetch(number), EVERY * 3)
        except asyncio.TimeoutError:
            pass


def open_and_close():
    os.close(os.open('/etc/hostname', os.O_RDONLY))


def open_and_keep():
    os.open('/etc/hostname', os.O_RDONLY)


async def two_sites():
    number = 0
    while True:
        number += 1
        open_and_close()
        if number % 10 == 0:
            open_and_keep()
        await asyncio.sleep(EVERY)


async def close_wait():
    kept = []

    async def serve(reader, writer):
        kept.append((reader, writer))
        writer.transport.pause_reading()

    server = await asyncio.start_server(serve, '127.0.0.1', 0)
    address = server.sockets[0].getsockname()
    while True:
        client = socket.create_connection(address)
        client.sendall(b'hello')
        await asyncio.sleep(EVERY)
        client.close()


def main():
    what = {
        'cancelled': lambda: with_timeouts(fetch_report),
        'healthy': lambda: with_timeouts(fetch_report_well),
        'sites': two_sites,
        'closewait': close_wait,
    }[sys.argv[1]]
    print('ready', flush=True)
    asyncio.run(what())


main()
