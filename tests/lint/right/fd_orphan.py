import asyncio


async def ask(host):
    reader, writer = await asyncio.open_connection(host, 80)
    try:
        writer.write(b"GET / HTTP/1.0\r\n\r\n")
        return await reader.read()
    finally:
        writer.close()


async def dial(host):
    reader, writer = await asyncio.open_connection(host, 80)
    await writer.drain()
    return reader, writer


def save(path, text):
    with open(path, "w") as f:
        f.write(text)


async def copy(queue, path):
    await asyncio.to_thread(save, path, await queue.get())
