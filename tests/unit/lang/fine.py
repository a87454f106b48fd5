# Tasks that wait for one another in every usual way, and none of which is lost: prints READY. Runs on 3.9 and later.
import asyncio
import contextvars
import signal
import threading
import time
import weakref


async def awaits(e):
    await e.wait()


async def gets(q):
    while True:
        await q.get()


class Conn(asyncio.Protocol):
    def __init__(self):
        self.q = asyncio.Queue()

    def connection_made(self, t):
        self.t = t
        self.task = asyncio.ensure_future(self.run())

    def data_received(self, d):
        self.q.put_nowait(d)

    async def run(self):
        await asyncio.gather(gets(self.q), gets(self.q))


async def signalled():
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, stop.set)
    await asyncio.gather(awaits(stop), awaits(stop))


async def by_thread():
    e = asyncio.Event()
    loop = asyncio.get_running_loop()

    def run():
        time.sleep(3600)
        loop.call_soon_threadsafe(e.set)
    threading.Thread(target=run, daemon=True).start()
    await asyncio.gather(awaits(e), awaits(e))


async def by_pool():
    e = asyncio.Event()
    loop = asyncio.get_running_loop()
    f = loop.run_in_executor(None, time.sleep, 3600)
    f.add_done_callback(lambda _: e.set())
    await asyncio.gather(awaits(e), awaits(e))


async def by_process():
    q = asyncio.Queue()

    async def feed():
        p = await asyncio.create_subprocess_exec("cat", stdin=asyncio.subprocess.PIPE,
                                                 stdout=asyncio.subprocess.PIPE)
        async for line in p.stdout:
            q.put_nowait(line)
    t = asyncio.create_task(feed())
    await asyncio.gather(gets(q), gets(q))


async def server():

    async def handle(r, w):
        q = asyncio.Queue()

        async def reads():
            while (d := (await r.read(10))):
                await q.put(d)
        t = asyncio.create_task(reads())
        await gets(q)
    s = await asyncio.start_server(handle, "127.0.0.1", 0)
    port = s.sockets[0].getsockname()[1]
    loop = asyncio.get_running_loop()
    s2 = await loop.create_server(Conn, "127.0.0.1", 0)
    r, w = await asyncio.open_connection("127.0.0.1", port)
    r2, w2 = await asyncio.open_connection("127.0.0.1", s2.sockets[0].getsockname()[1])
    async with s:
        await s.serve_forever()


async def agen(q):
    while True:
        yield (await q.get())


async def pipeline():
    q = asyncio.Queue()

    async def src():
        while True:
            await asyncio.sleep(3600)
            await q.put(1)

    async def sink():
        async for x in agen(q):
            pass
    await asyncio.gather(src(), sink(), sink())


async def semaphore():
    s = asyncio.Semaphore(1)
    await s.acquire()
    asyncio.get_running_loop().call_later(3600, s.release)

    async def w():
        async with s:
            pass
    await asyncio.gather(w(), w())


async def cond():
    c = asyncio.Condition()

    async def w():
        async with c:
            await c.wait()

    async def n():
        await asyncio.sleep(3600)
        async with c:
            c.notify_all()
    await asyncio.gather(w(), w(), n())


async def limited():
    q = asyncio.Queue()

    async def w():
        while True:
            try:
                await asyncio.wait_for(q.get(), 3600)
            except asyncio.TimeoutError:
                pass
    await asyncio.gather(w(), w())


async def group():
    q = asyncio.Queue()
    async with asyncio.TaskGroup() as g:
        g.create_task(gets(q))
        g.create_task(gets(q))

        async def feed():
            await asyncio.sleep(3600)
            q.put_nowait(1)
        g.create_task(feed())


async def timeout_cm():
    e = asyncio.Event()

    async def a():
        async with asyncio.timeout(3600):
            await e.wait()
    await asyncio.gather(a(), awaits(e))


async def waits_first():
    e = asyncio.Event()
    t = [asyncio.create_task(awaits(e)), asyncio.create_task(asyncio.sleep(3600))]
    await asyncio.wait(t, return_when=asyncio.FIRST_COMPLETED)
    e.set()


async def shielded():
    e = asyncio.Event()

    async def long():
        await asyncio.sleep(3600)
        e.set()
    t = asyncio.create_task(long())

    async def s():
        await asyncio.shield(t)
    await asyncio.gather(s(), awaits(e), awaits(e))


var = contextvars.ContextVar("q")


async def context():
    q = asyncio.Queue()
    var.set(q)
    asyncio.get_running_loop().call_later(3600, lambda: var.get().put_nowait(1))
    await asyncio.gather(gets(q), gets(q))


async def weakset():
    subs = weakref.WeakSet()

    class Sub:

        def __init__(self):
            self.q = asyncio.Queue()

        async def run(self):
            await gets(self.q)
    a, b = (Sub(), Sub())
    subs.add(a)
    subs.add(b)

    async def pub():
        while True:
            await asyncio.sleep(3600)
            for s in subs:
                s.q.put_nowait(1)
    t = asyncio.create_task(pub())
    await asyncio.gather(a.run(), b.run())


async def lock_order():
    a, b = (asyncio.Lock(), asyncio.Lock())

    async def w(k):
        while True:
            async with a:
                async with b:
                    await asyncio.sleep(0.05)
    await asyncio.gather(*[w(k) for k in range(10)])


async def handoff():
    lock = asyncio.Lock()
    async with lock:

        async def child():
            await asyncio.sleep(3600)
        await asyncio.gather(child(), child())


async def idiom():
    await asyncio.Event().wait()


async def idiom2():
    await asyncio.get_running_loop().create_future()


EVERY = [signalled, by_thread, by_pool, by_process, server, pipeline, semaphore, cond, limited, waits_first,
         shielded, context, weakset, lock_order, handoff, idiom, idiom2]


if hasattr(asyncio, "timeout"):  # 3.11
    EVERY += [group, timeout_cm]


async def main():
    tasks = [asyncio.create_task(f(), name=f.__name__) for f in EVERY]
    await asyncio.sleep(0.3)
    print("READY", flush=True)
    await asyncio.gather(*tasks)


asyncio.run(main())
