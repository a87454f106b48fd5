import asyncio
import logging
import logging.handlers
import queue

records = queue.SimpleQueue()
listener = logging.handlers.QueueListener(records, logging.FileHandler("app.log"))
log = logging.getLogger(__name__)
log.addHandler(logging.handlers.QueueHandler(records))


async def handle(request):
    log.info("request %s", request)
    await asyncio.sleep(0)
    print("done")
