#!/usr/bin/python3
"""The healthy twin of stall.py: the same kinds of work done the right way, under load from a child
process. Nothing here deserves a finding."""

import asyncio
import hashlib
import json
import signal
import socket
import subprocess
import sys
import time

rows = [{"id": i, "name": f"row {i}"} for i in range(50)]


def hash_password():
    return hashlib.pbkdf2_hmac("sha512", b"a", b"b", 2000).hex()


def read_self():
    with open(__file__) as file:
        return file.read()[:100]


async def run_child():
    child = await asyncio.create_subprocess_exec("sleep", "0.2")
    await child.wait()
    return "done"


async def load_profile():
    await asyncio.sleep(0.005)
    return json.dumps(rows)


async def load_user():
    profile, digest = await asyncio.gather(load_profile(), asyncio.to_thread(hash_password))
    return profile[:20] + digest


async def answer(number):
    if number % 400 == 0:
        return await run_child()
    if number % 20 == 0:
        return await asyncio.to_thread(read_self)
    if number % 5 == 0:
        return await load_user()
    return json.dumps(rows[:3])


async def serve(reader, writer):
    while line := await reader.readline():
        reply = await answer(int(line))
        writer.write(reply.replace("\n", " ").encode() + b"\n")
        await writer.drain()
    writer.close()


def client(port):
    """A process of its own: about 300 requests a second."""
    sock = socket.create_connection(("127.0.0.1", port))
    replies = sock.makefile("rb")
    number = 0
    while True:
        number += 1
        sock.sendall(b"%d\n" % number)
        if not replies.readline():
            return
        time.sleep(0.002)


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    clients = [subprocess.Popen([sys.executable, __file__, "client", str(port)]) for _ in range(2)]
    stopped = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stopped.set)
    await stopped.wait()
    for process in clients:
        process.kill()
        process.wait()


if __name__ == "__main__":
    if sys.argv[1:2] == ["client"]:
        client(int(sys.argv[2]))
    else:
        asyncio.run(main())
