# What blocks, by its full name; part one of the helper (see helper.c).
#
# A value that a call returned is written "NAME()": requests.Session().get is the method get of
# whatever requests.Session() gave, however many variables lie in between. "NAME.*" is everything
# below NAME. More come from -c FILE: RULE.call=NAME.
import ast
import json
import os
import sys
import tokenize

SYNC_IO = """
time.sleep
os.system os.popen os.wait os.waitpid os.wait3 os.wait4 os.waitid
os.fsync os.fdatasync os.walk
subprocess.run subprocess.call subprocess.check_call subprocess.check_output
subprocess.getoutput subprocess.getstatusoutput
subprocess.Popen().wait subprocess.Popen().communicate
builtins.open io.open codecs.open builtins.input getpass.getpass
builtins.open().read builtins.open().readline builtins.open().readlines builtins.open().write
builtins.open().writelines builtins.open().flush
pathlib.Path().read_text pathlib.Path().write_text pathlib.Path().read_bytes
pathlib.Path().write_bytes pathlib.Path().open
sys.stdin.read sys.stdin.readline sys.stdin.readlines sys.stdin.buffer.read
sys.stdin.buffer.readline
socket.getaddrinfo socket.gethostbyname socket.gethostbyname_ex socket.gethostbyaddr
socket.getnameinfo socket.getfqdn socket.create_connection
socket.socket().recv socket.socket().recv_into socket.socket().recvfrom socket.socket().accept
socket.socket().connect socket.socket().sendall
select.select select.poll().poll select.epoll().poll
signal.pause signal.sigwait signal.sigwaitinfo signal.sigtimedwait
shutil.copy shutil.copy2 shutil.copyfile shutil.copyfileobj shutil.copytree shutil.move
shutil.rmtree shutil.make_archive shutil.unpack_archive
urllib.request.urlopen urllib.request.urlretrieve urllib.request.build_opener().open
http.client.HTTPConnection().request http.client.HTTPConnection().getresponse
http.client.HTTPConnection().connect
http.client.HTTPSConnection().request http.client.HTTPSConnection().getresponse
http.client.HTTPSConnection().connect
smtplib.SMTP smtplib.SMTP_SSL ftplib.FTP ftplib.FTP_TLS imaplib.IMAP4 imaplib.IMAP4_SSL
poplib.POP3 poplib.POP3_SSL telnetlib.Telnet
smtplib.SMTP().* smtplib.SMTP_SSL().* ftplib.FTP().* imaplib.IMAP4().* imaplib.IMAP4_SSL().*
xmlrpc.client.ServerProxy().*
requests.get requests.post requests.put requests.patch requests.delete requests.head
requests.options requests.request requests.Session().* requests.session().*
httpx.get httpx.post httpx.put httpx.patch httpx.delete httpx.head httpx.options httpx.request
httpx.stream httpx.Client().*
urllib3.request urllib3.PoolManager().request urllib3.PoolManager().urlopen
urllib3.PoolManager().request_encode_url urllib3.PoolManager().request_encode_body
sqlite3.connect sqlite3.connect().*
psycopg2.connect psycopg2.connect().* psycopg.connect psycopg.connect().*
pymysql.connect pymysql.connect().* MySQLdb.connect MySQLdb.connect().*
mysql.connector.connect mysql.connector.connect().*
redis.Redis().* redis.StrictRedis().* redis.from_url().* redis.Redis.from_url().*
pymongo.MongoClient().*
boto3.client().* boto3.resource().*
paramiko.SSHClient().connect paramiko.SSHClient().exec_command
dns.resolver.resolve dns.resolver.query
pandas.read_csv pandas.read_json pandas.read_excel pandas.read_parquet pandas.read_sql
"""

CPU = """
hashlib.pbkdf2_hmac hashlib.scrypt bcrypt.hashpw bcrypt.checkpw bcrypt.kdf
argon2.PasswordHasher().hash argon2.PasswordHasher().verify
"""

LOCK = """
threading.Lock().acquire threading.RLock().acquire threading.Condition().acquire
threading.Condition().wait threading.Event().wait threading.Semaphore().acquire
threading.BoundedSemaphore().acquire threading.Barrier().wait threading.Thread().join
queue.Queue().get queue.Queue().join queue.SimpleQueue().get
queue.LifoQueue().get queue.PriorityQueue().get
multiprocessing.Process().join multiprocessing.Queue().get multiprocessing.Lock().acquire
asyncio.run_coroutine_threadsafe().result
concurrent.futures.ThreadPoolExecutor().submit().result
concurrent.futures.ProcessPoolExecutor().submit().result
concurrent.futures.wait fcntl.flock fcntl.lockf
"""

# Below a "NAME().*": what costs nothing.
HARMLESS = frozenset("""
cursor close mount register_script pipeline pubsub headers auth set_debuglevel create_function
get_collection get_database Table Bucket Object
""".split())

THREAD_LOCKS = frozenset("threading.Lock() threading.RLock() threading.Condition() "
                         "threading.Semaphore() threading.BoundedSemaphore()".split())

LOOPS = frozenset("""asyncio.get_event_loop() asyncio.get_running_loop() asyncio.new_event_loop()
asyncio.events.get_event_loop() uvloop.new_event_loop()""".split())

SPAWN = frozenset("""asyncio.create_task asyncio.ensure_future asyncio.tasks.create_task
asyncio.tasks.ensure_future""".split())

COROUTINES = frozenset("""asyncio.sleep asyncio.wait asyncio.wait_for asyncio.to_thread
asyncio.open_connection asyncio.start_server asyncio.create_subprocess_exec
asyncio.create_subprocess_shell asyncio.open_unix_connection
asyncio.Queue().get asyncio.Queue().put asyncio.Queue().join asyncio.Lock().acquire
asyncio.Event().wait asyncio.Semaphore().acquire""".split())

# What must be closed again, and the names of its closing methods.
OPENERS = frozenset("""builtins.open io.open codecs.open os.open os.fdopen socket.socket
socket.create_connection aiohttp.ClientSession httpx.AsyncClient asyncio.open_connection
asyncio.open_unix_connection asyncpg.connect aiosqlite.connect aiofiles.open""".split())
CLOSERS = frozenset("close aclose wait_closed terminate detach abort shutdown".split())

# Objects of a loop that only its own thread may touch: method, when the object is one of these.
UNSAFE = {
    "set": ("asyncio.Event()",), "clear": ("asyncio.Event()",),
    "put_nowait": ("asyncio.Queue()", "asyncio.PriorityQueue()", "asyncio.LifoQueue()"),
    "get_nowait": ("asyncio.Queue()",),
    "release": ("asyncio.Lock()", "asyncio.Semaphore()"),
}
LOOP_METHODS = frozenset("""call_soon call_later call_at create_task add_reader remove_reader
add_writer remove_writer create_future stop""".split())

CALLBACK_TAKERS = {"call_soon": 0, "call_soon_threadsafe": 0, "call_later": 1, "call_at": 1,
                   "add_reader": 1, "add_writer": 1, "add_signal_handler": 1}
PROTOCOLS = frozenset("""asyncio.Protocol asyncio.DatagramProtocol asyncio.BufferedProtocol
asyncio.SubprocessProtocol asyncio.protocols.Protocol""".split())
PROTOCOL_METHODS = frozenset("""connection_made connection_lost data_received eof_received
datagram_received error_received buffer_updated pause_writing resume_writing pipe_data_received
process_exited""".split())
HANDLERS = frozenset(["tornado.web.RequestHandler", "tornado.websocket.WebSocketHandler"])
HANDLER_METHODS = frozenset("get post put patch delete head options on_message open on_close "
                            "prepare on_finish".split())

# Decorators that leave a function what it is.
TRANSPARENT = frozenset("""builtins.staticmethod builtins.classmethod builtins.property
functools.wraps() functools.lru_cache functools.lru_cache() functools.cache
contextlib.contextmanager contextlib.asynccontextmanager abc.abstractmethod typing.overload
typing.final typing.no_type_check""".split())
COROUTINE_DECORATORS = frozenset(["tornado.gen.coroutine", "asyncio.coroutine",
                                  "types.coroutine"])

CLOCKS = frozenset("time.time time.monotonic time.perf_counter time.time_ns time.monotonic_ns "
                   "time.perf_counter_ns".split())

MANY = 1000000  # rounds of a loop that are certainly long: some 50 ms of Python
FEW = 100       # tasks that are certainly few

REMEDY = {
    "time.sleep": "await asyncio.sleep() instead",
    "subprocess.": "await asyncio.create_subprocess_exec() instead",
    "os.system": "await asyncio.create_subprocess_shell() instead",
    "socket.get": "await loop.getaddrinfo() or loop.getnameinfo() instead",
    "socket.create_connection": "await asyncio.open_connection() instead",
    "socket.socket().": "sock.setblocking(False) and await loop.sock_recv(), sock_sendall(), "
                        "sock_connect()",
    "requests.": "an asynchronous client (aiohttp, httpx.AsyncClient), or "
                 "await asyncio.to_thread(...)",
    "httpx.": "httpx.AsyncClient and await",
    "urllib": "an asynchronous client (aiohttp, httpx.AsyncClient), or await asyncio.to_thread(...)",
    "redis.": "redis.asyncio and await",
    "psycopg2.": "asyncpg or psycopg.AsyncConnection and await",
    "sqlite3.": "aiosqlite, or await asyncio.to_thread(...)",
    "queue.": "asyncio.Queue between tasks; from a thread loop.call_soon_threadsafe()",
    "threading.": "asyncio's own lock, or await asyncio.to_thread(...)",
}
