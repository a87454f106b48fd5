import asyncio
import time

import requests as http


def load(url):
    time.sleep(0.1)
    return http.get(url, timeout=5)


async def profile(user):
    return await asyncio.to_thread(load, "http://localhost/users/" + user)


async def poll():
    loop = asyncio.get_running_loop()
    while True:
        await loop.run_in_executor(None, lambda: time.sleep(1))
        await asyncio.sleep(1)


def main():
    with open("settings.json") as f:
        settings = f.read()
    asyncio.run(profile(settings))
