import asyncio
import shutil
import time

import requests as http


def load(url):
    return http.get(url, timeout=5)  # expect: loop-sync-io


async def profile(user):
    await asyncio.sleep(0)
    return load("http://localhost/users/" + user)


async def poll():
    while True:
        time.sleep(1)  # expect: loop-sync-io
        await asyncio.sleep(1)


def copy(path):
    shutil.copyfile(path, path + ".old")  # expect: loop-sync-io


ACTIONS = {"copy": copy}


async def act(name, path):
    action = ACTIONS[name]
    action(path)


async def settings():
    with open("settings.json") as f:  # expect: loop-sync-io
        return f.read()
