// The healthy twin of stall_c: the same kinds of work done the right way, under load.
//
// A client thread sends about 2000 requests a second; each is answered at once, and now and then
// starts CPU work in the pool, an asynchronous file write with fsync, a name look-up, a child, or a
// read from a FIFO through the loop. Nothing here deserves a finding.
#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

static uv_loop_t *loop;
static int port;
static volatile unsigned long sink;
static char block[1 << 16];

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void on_work(uv_work_t *request)
{
    unsigned long x = 1;
    (void)request;
    for (int i = 0; i < 5000000; i++)
        x = x * 31 + (unsigned long)i;
    sink += x;
}

static void after_work(uv_work_t *request, int status)
{
    (void)status;
    free(request);
}

struct file_job {
    uv_fs_t request;
    uv_buf_t buf;
    int fd;
};

static void on_closed_file(uv_fs_t *request)
{
    uv_fs_req_cleanup(request);
    free(request);
}

static void on_synced(uv_fs_t *request)
{
    struct file_job *job = (struct file_job *)request;
    uv_fs_req_cleanup(request);
    uv_fs_close(loop, request, job->fd, on_closed_file);
}

static void on_written(uv_fs_t *request)
{
    struct file_job *job = (struct file_job *)request;
    uv_fs_req_cleanup(request);
    uv_fs_fsync(loop, request, job->fd, on_synced);
}

static void on_opened(uv_fs_t *request)
{
    struct file_job *job = (struct file_job *)request;
    job->fd = (int)request->result;
    uv_fs_req_cleanup(request);
    if (job->fd < 0)
        die("scratch file");
    job->buf = uv_buf_init(block, sizeof block);
    uv_fs_write(loop, request, job->fd, &job->buf, 1, 0, on_written);
}

static void start_file(void)
{
    struct file_job *job = calloc(1, sizeof *job);
    const char *folder = getenv("TMPDIR");
    uv_fs_open(loop, &job->request, folder ? folder : "/tmp", O_TMPFILE | O_RDWR, 0600, on_opened);
}

static void on_name(uv_getaddrinfo_t *request, int status, struct addrinfo *found)
{
    (void)status;
    uv_freeaddrinfo(found);
    free(request);
}

static void start_name(void)
{
    uv_getaddrinfo(loop, calloc(1, sizeof(uv_getaddrinfo_t)), on_name, "localhost", "80", NULL);
}

static void on_closed(uv_handle_t *handle)
{
    free(handle);
}

static void on_exited(uv_process_t *process, int64_t status, int signal)
{
    (void)status, (void)signal;
    uv_close((uv_handle_t *)process, on_closed);
}

static void start_child(void)
{
    char *args[] = {"sleep", "0.3", NULL};
    uv_process_options_t options = {.file = "/bin/sleep", .args = args, .exit_cb = on_exited};
    uv_process_t *process = calloc(1, sizeof *process);
    if (uv_spawn(loop, process, &options))
        uv_close((uv_handle_t *)process, on_closed);
}

static void on_alloc(uv_handle_t *handle, size_t size, uv_buf_t *buf)
{
    static char buffer[4096];
    (void)handle, (void)size;
    *buf = uv_buf_init(buffer, sizeof buffer);
}

static void on_pipe(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
    (void)stream, (void)buf;
    sink += (unsigned long)n;
}

static int fifo[2];
static void start_pipe(void)
{
    static uv_pipe_t reader;
    if (pipe2(fifo, O_CLOEXEC | O_NONBLOCK))
        die("pipe");
    uv_pipe_init(loop, &reader, 0);
    uv_pipe_open(&reader, fifo[0]);
    uv_read_start((uv_stream_t *)&reader, on_alloc, on_pipe);
}

static void on_sent(uv_write_t *request, int status)
{
    (void)status;
    free(request);
}

static void handle_request(uv_stream_t *client)
{
    static unsigned long requests;
    static char reply[] = "reply";
    uv_buf_t buf = uv_buf_init(reply, sizeof reply);
    uv_write(calloc(1, sizeof(uv_write_t)), client, &buf, 1, on_sent);
    requests++;
    if (requests % 100 == 0)
        uv_queue_work(loop, calloc(1, sizeof(uv_work_t)), on_work, after_work);
    if (requests % 500 == 0)
        start_file();
    if (requests % 1000 == 0)
        start_name();
    if (requests % 1500 == 0)
        start_child();
    if (requests % 50 == 0)
        sink += (unsigned long)write(fifo[1], "x", 1);
}

static void on_request(uv_stream_t *client, ssize_t n, const uv_buf_t *buf)
{
    (void)buf;
    if (n > 0)
        handle_request(client);
    else if (n < 0)
        uv_close((uv_handle_t *)client, on_closed);
}

static void on_connection(uv_stream_t *server, int status)
{
    uv_tcp_t *client = calloc(1, sizeof *client);
    if (status)
        return;
    uv_tcp_init(loop, client);
    uv_accept(server, (uv_stream_t *)client);
    uv_read_start((uv_stream_t *)client, on_alloc, on_request);
}

static void start_server(void)
{
    static uv_tcp_t server;
    struct sockaddr_in address;
    int length = sizeof address;
    uv_ip4_addr("127.0.0.1", 0, &address);
    uv_tcp_init(loop, &server);
    uv_tcp_bind(&server, (struct sockaddr *)&address, 0);
    if (uv_listen((uv_stream_t *)&server, 16, on_connection))
        die("listen");
    uv_tcp_getsockname(&server, (struct sockaddr *)&address, &length);
    port = ntohs(address.sin_port);
}

static void *run_client(void *unused)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timespec pause = {0, 400000};
    char reply[64];
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)unused;
    if (connect(fd, (struct sockaddr *)&address, sizeof address))
        die("connect");
    while (send(fd, "request", 7, 0) == 7 && recv(fd, reply, sizeof reply, 0) > 0)
        nanosleep(&pause, NULL);
    return NULL;
}

int main(void)
{
    pthread_t client;
    loop = uv_default_loop();
    start_pipe();
    start_server();
    pthread_create(&client, NULL, run_client, NULL);
    return uv_run(loop, UV_RUN_DEFAULT);
}
