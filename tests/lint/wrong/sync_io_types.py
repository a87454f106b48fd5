import asyncio
import socket
import sqlite3
import subprocess
from pathlib import Path


class Store:
    def __init__(self, path):
        self.db = sqlite3.connect(path)
        self.folder = Path(path).parent

    def rows(self):
        cursor = self.db.cursor()
        cursor.execute("SELECT * FROM orders")  # expect: loop-sync-io
        return cursor

    async def orders(self):
        return list(self.rows())

    async def notes(self, path: Path):
        return path.read_text()  # expect: loop-sync-io


class Echo(asyncio.Protocol):
    def data_received(self, data):
        subprocess.run(["logger", data])  # expect: loop-sync-io


async def name(address):
    return socket.gethostbyaddr(address)  # expect: loop-sync-io
