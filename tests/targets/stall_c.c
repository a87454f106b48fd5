// A libuv program that blocks its loop in known ways, at random moments, and keeps a log of it.
//
// Built twice: without frame pointers and debug information (as distributions ship programs), and
// with -g. Every stall happens in a timer callback, in one function named after the cause, with the
// helper (a thread, a child) set up beforehand, so that nothing but the call named in the log
// blocks.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <pthread.h>
#include <resolv.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "plan.h"

#define NOINLINE __attribute__((noinline))
// The site named is this function, from the line that follows.
#define BEGIN(cause, lines)                                                                        \
    plan_begin(&plan, cause,                                                                       \
               &(struct plan_site){__func__, __FILE_NAME__, __LINE__ + 1, __LINE__ + (lines)})

static struct plan plan;
static volatile unsigned long sink;
static char scratch[100]; // folder of FIFO, lock file, big file

static void sleep_ms(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    while (nanosleep(&t, &t) && errno == EINTR)
        ;
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static const char *scratch_path(const char *name)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", scratch, name);
    return path;
}

// The assistant: a thread that does one job at a time for the loop thread.
enum job { NOTHING, WRITE_FIFO, HOLD_MUTEX, DIRTY_FILE };
static struct {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    enum job job;
    long ms;
    atomic_bool started;
} assistant = {.lock = PTHREAD_MUTEX_INITIALIZER, .wake = PTHREAD_COND_INITIALIZER};

static pthread_mutex_t contended = PTHREAD_MUTEX_INITIALIZER;
static int fifo_fd, big_fd;
static atomic_bool dirtying;

static void dirty_file(void)
{
    static char block[1 << 20];
    for (long n = 0; atomic_load(&dirtying); n++)
        if (pwrite(big_fd, block, sizeof block, n % 256 * (off_t)sizeof block) < 0)
            die("big file");
}

static void do_job(enum job job, long ms)
{
    if (job == HOLD_MUTEX)
        pthread_mutex_lock(&contended);
    atomic_store(&assistant.started, true);
    if (job == DIRTY_FILE)
        dirty_file();
    else
        sleep_ms(ms);
    if (job == HOLD_MUTEX)
        pthread_mutex_unlock(&contended);
    if (job == WRITE_FIFO && write(fifo_fd, "x", 1) != 1)
        die("fifo");
}

static void *run_assistant(void *unused)
{
    (void)unused;
    pthread_mutex_lock(&assistant.lock);
    for (;;) {
        while (assistant.job == NOTHING)
            pthread_cond_wait(&assistant.wake, &assistant.lock);
        enum job job = assistant.job;
        assistant.job = NOTHING;
        pthread_mutex_unlock(&assistant.lock);
        do_job(job, assistant.ms);
        pthread_mutex_lock(&assistant.lock);
    }
    return NULL;
}

static void ask_assistant(enum job job, long ms)
{
    pthread_mutex_lock(&assistant.lock);
    atomic_store(&assistant.started, false);
    assistant.job = job;
    assistant.ms = ms;
    pthread_cond_signal(&assistant.wake);
    pthread_mutex_unlock(&assistant.lock);
    while (!atomic_load(&assistant.started))
        sched_yield();
}

// A DNS server that takes its time: answers "no such name" after dns_ms.
static int dns_fd;
static atomic_long dns_ms;

static void *run_dns_server(void *unused)
{
    unsigned char packet[512];
    struct sockaddr_in peer;
    (void)unused;
    for (;;) {
        socklen_t length = sizeof peer;
        ssize_t n = recvfrom(dns_fd, packet, sizeof packet, 0, (struct sockaddr *)&peer, &length);
        if (n < 12)
            continue;
        sleep_ms(atomic_load(&dns_ms));
        packet[2] |= 0x80;                     // a response
        packet[3] = (packet[3] & 0xf0) | 0x03; // NXDOMAIN
        sendto(dns_fd, packet, (size_t)n, 0, (struct sockaddr *)&peer, length);
    }
    return NULL;
}

// Points this process's resolver at our server; glibc honours a changed _res.
static void start_dns_server(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    pthread_t thread;

    dns_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (bind(dns_fd, (struct sockaddr *)&address, sizeof address) ||
        getsockname(dns_fd, (struct sockaddr *)&address, &length))
        die("dns server");
    res_init();
    _res.nscount = 1;
    _res.nsaddr_list[0] = address;
    _res.retrans = 3600;
    _res.retry = 1;
    pthread_create(&thread, NULL, run_dns_server, NULL);
}

static NOINLINE void block_spin(long ms)
{
    int64_t end = now_ns() + ms * 1000000;
    unsigned long x = 1;
    BEGIN("spin", 4);
    while (now_ns() < end)
        for (int i = 0; i < 20000; i++)
            x = x * 6364136223846793005UL + (unsigned long)i;
    sink += x;
    plan_end(&plan);
}

static NOINLINE void block_nanosleep(long ms)
{
    struct timespec t = {ms / 1000, ms % 1000 * 1000000};
    BEGIN("nanosleep", 2);
    while (nanosleep(&t, &t) && errno == EINTR)
        ;
    plan_end(&plan);
}

static NOINLINE void block_fifo(long ms)
{
    char c;
    ask_assistant(WRITE_FIFO, ms);
    BEGIN("fifo", 1);
    ssize_t n = read(fifo_fd, &c, 1);
    plan_end(&plan);
    sink += (unsigned long)n;
}

static pid_t child_holds_flock(long ms)
{
    int ready[2];
    char c;
    if (pipe(ready))
        die("pipe");
    pid_t pid = fork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        // A new open file description: a lock through the inherited one would be ours as well.
        int own = open(scratch_path("lock"), O_RDWR);
        flock(own, LOCK_EX);
        if (write(ready[1], "x", 1) != 1)
            _exit(1);
        sleep_ms(ms);
        _exit(0);
    }
    if (pid < 0 || read(ready[0], &c, 1) != 1)
        die("lock holder");
    close(ready[0]);
    close(ready[1]);
    return pid;
}

static NOINLINE void block_flock(long ms)
{
    int fd = open(scratch_path("lock"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    pid_t child = child_holds_flock(ms);
    BEGIN("flock", 1);
    flock(fd, LOCK_EX);
    plan_end(&plan);
    close(fd);
    waitpid(child, NULL, 0);
}

static NOINLINE void block_mutex(long ms)
{
    ask_assistant(HOLD_MUTEX, ms);
    BEGIN("mutex", 1);
    pthread_mutex_lock(&contended);
    plan_end(&plan);
    pthread_mutex_unlock(&contended);
}

static NOINLINE void block_fsync(long ms)
{
    atomic_store(&dirtying, true);
    ask_assistant(DIRTY_FILE, ms);
    int64_t end = now_ns() + ms * 1000000;
    BEGIN("fsync", 3);
    do {
        fsync(big_fd);
    } while (now_ns() < end);
    plan_end(&plan);
    atomic_store(&dirtying, false);
}

static NOINLINE void block_getaddrinfo(long ms)
{
    struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM}, *found = NULL;
    atomic_store(&dns_ms, ms);
    BEGIN("getaddrinfo", 1);
    int rc = getaddrinfo("slow.invalid.", "80", &hints, &found);
    plan_end(&plan);
    if (rc == 0)
        freeaddrinfo(found);
}

static NOINLINE void block_child(long ms)
{
    char seconds[32];
    char *argv[] = {"sleep", seconds, NULL}, *envp[] = {NULL};
    pid_t child;
    snprintf(seconds, sizeof seconds, "%ld.%03ld", ms / 1000, ms % 1000);
    if (posix_spawn(&child, "/bin/sleep", NULL, NULL, argv, envp))
        die("/bin/sleep");
    BEGIN("child", 1);
    waitpid(child, NULL, 0);
    plan_end(&plan);
}

static const struct {
    const char *cause;
    void (*block)(long ms);
} blocks[] = {
    {"spin", block_spin},
    {"nanosleep", block_nanosleep},
    {"fifo", block_fifo},
    {"flock", block_flock},
    {"mutex", block_mutex},
    {"fsync", block_fsync},
    {"getaddrinfo", block_getaddrinfo},
    {"child", block_child},
};

static void clean_up(void)
{
    unlink(scratch_path("fifo"));
    unlink(scratch_path("lock"));
    unlink(scratch_path("big"));
    rmdir(scratch);
}

static void on_stop(uv_timer_t *timer)
{
    (void)timer;
    clean_up();
    exit(0);
}

static NOINLINE void on_timer(uv_timer_t *timer)
{
    const char *cause = plan_next_cause(&plan);
    for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
        if (!strcmp(blocks[i].cause, cause))
            blocks[i].block(plan_length_ms(&plan));
    if (plan_finished(&plan)) {
        plan_done(&plan);
        uv_timer_start(timer, on_stop, 1500, 0);
        return;
    }
    uv_timer_start(timer, on_timer, (uint64_t)plan_gap_ms(&plan), 0);
}

// A healthy service turns even when nothing is wrong.
static void on_heartbeat(uv_timer_t *timer)
{
    (void)timer;
    sink++;
}

static void set_up(void)
{
    pthread_t thread;
    const char *folder = getenv("TMPDIR");
    snprintf(scratch, sizeof scratch, "%s/stall_c.XXXXXX", folder ? folder : "/tmp");
    if (!mkdtemp(scratch) || mkfifo(scratch_path("fifo"), 0600))
        die(scratch);
    fifo_fd = open(scratch_path("fifo"), O_RDWR | O_CLOEXEC);
    big_fd = open(scratch_path("big"), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fifo_fd < 0 || big_fd < 0)
        die(scratch);
    pthread_create(&thread, NULL, run_assistant, NULL);
    start_dns_server();
}

int main(int argc, char **argv)
{
    static const char *const all[] = {"spin",  "nanosleep",   "fifo",  "flock", "mutex",
                                      "fsync", "getaddrinfo", "child", NULL};
    uv_timer_t stalls, heartbeat;

    plan_parse(&plan, argc, argv, all);
    set_up();
    uv_timer_init(uv_default_loop(), &stalls);
    uv_timer_init(uv_default_loop(), &heartbeat);
    uv_timer_start(&heartbeat, on_heartbeat, 10, 10);
    uv_timer_start(&stalls, on_timer, (uint64_t)plan.start_ms, 0);
    plan_ready(&plan);
    return uv_run(uv_default_loop(), UV_RUN_DEFAULT);
}
