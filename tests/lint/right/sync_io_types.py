import asyncio
import sqlite3
from pathlib import Path


class Store:
    def __init__(self, path):
        self.db = sqlite3.connect(path)

    def rows(self):
        return list(self.db.execute("SELECT * FROM orders"))

    async def orders(self):
        return await asyncio.to_thread(self.rows)

    async def notes(self, path: Path):
        return await asyncio.to_thread(path.read_text)


class Echo(asyncio.Protocol):
    def data_received(self, data):
        self.transport.write(data)


async def name(address):
    return await asyncio.get_running_loop().getnameinfo((address, 0))
