import asyncio


async def ask(host):
    reader, writer = await asyncio.open_connection(host, 80)  # expect: fd-orphan
    writer.write(b"GET / HTTP/1.0\r\n\r\n")
    answer = await reader.read()
    writer.close()
    return answer


async def copy(queue, path):
    out = await asyncio.to_thread(open, path)
    sink = open(path + ".new", "w")  # expect: fd-orphan loop-sync-io
    sink.write(await queue.get())
    sink.close()
    return out
