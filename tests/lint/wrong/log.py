import asyncio
import logging

logging.basicConfig(filename="app.log")
log = logging.getLogger(__name__)


async def handle(request):
    log.info("request %s", request)  # expect: loop-sync-log
    await asyncio.sleep(0)


async def progress(items):
    for item in items:
        print(item, flush=True)  # expect: loop-sync-log
        await asyncio.sleep(0)
