// Makes and ends descriptors in every way there is, from several threads that close and replace each other's:
// 64 ways, with fork, exec, io_uring, SCM_RIGHTS, close_range, unshare. A tracker's table must stay equal to
// the kernel's.
//
//   fd_torture THREADS EXECS SECONDS    starts itself anew EXECS times, after SECONDS each
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/bpf.h>
#include <linux/landlock.h>
#include <linux/nsfs.h>
#include <linux/openat2.h>
#include <linux/perf_event.h>
#include <linux/sockios.h>
#include <linux/userfaultfd.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#define MAXF 400
static __thread int F[MAXF];
static __thread int n;
static __thread unsigned seed;
static __thread struct io_uring ring;
static __thread int ring_ok;
static unsigned long succeeded[80], failed[80];
static int multi, burst = 1;
static unsigned chance(void)
{
    seed = seed * 1103515245 + 12345;
    return seed >> 8;
}
static int keep(int fd)
{
    if (fd < 0)
        return fd;
    if (n < MAXF)
        F[n++] = fd;
    else
        close(fd);
    return fd;
}
static int any_kept(void)
{
    return n ? F[chance() % n] : -1;
}
static int send_descriptors(int s, int *fds, int k)
{
    char cb[CMSG_SPACE(sizeof(int) * 16)];
    char c = 'x';
    struct iovec iv = {&c, 1};
    struct msghdr m = {.msg_iov = &iv,
                       .msg_iovlen = 1,
                       .msg_control = cb,
                       .msg_controllen = CMSG_SPACE(sizeof(int) * k)};
    memset(cb, 0, sizeof cb);
    struct cmsghdr *h = CMSG_FIRSTHDR(&m);
    h->cmsg_level = SOL_SOCKET;
    h->cmsg_type = SCM_RIGHTS;
    h->cmsg_len = CMSG_LEN(sizeof(int) * k);
    memcpy(CMSG_DATA(h), fds, sizeof(int) * k);
    return sendmsg(s, &m, 0);
}
static int receive_descriptors(int s, int mm)
{
    char cb[1024];
    char c;
    struct iovec iv = {&c, 1};
    struct msghdr m = {
        .msg_iov = &iv, .msg_iovlen = 1, .msg_control = cb, .msg_controllen = sizeof cb};
    int k = 0;
    struct mmsghdr M = {.msg_hdr = m};
    int r;
    if (mm) {
        r = recvmmsg(s, &M, 1, MSG_DONTWAIT, 0);
        m = M.msg_hdr;
    } else
        r = recvmsg(s, &m, MSG_DONTWAIT | (chance() % 2 ? MSG_CMSG_CLOEXEC : 0));
    if (r <= 0)
        return -1;
    for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h))
        if (h->cmsg_level == SOL_SOCKET && (h->cmsg_type == SCM_RIGHTS || h->cmsg_type == 4)) {
            int q = (h->cmsg_len - CMSG_LEN(0)) / 4;
            int *f = (int *)CMSG_DATA(h);
            for (int i = 0; i < q; i++) {
                keep(f[i]);
                k++;
            }
        }
    return k;
}
static int by_uring(int op, int a)
{
    if (!ring_ok) {
        if (io_uring_queue_init(8, &ring, 0))
            return -1;
        ring_ok = 1;
        keep(ring.ring_fd);
        n--;
    }
    struct io_uring_sqe *s = io_uring_get_sqe(&ring);
    if (!s)
        return -1;
    if (op == 0)
        io_uring_prep_openat(s, AT_FDCWD, "/etc/passwd", O_RDONLY, 0);
    else if (op == 1)
        io_uring_prep_close(s, a);
    else if (op == 2)
        io_uring_prep_socket(s, AF_UNIX, SOCK_STREAM, 0, 0);
    else if (op == 3) {
        io_uring_prep_openat(s, AT_FDCWD, "/etc/group", O_RDONLY, 0);
        s->flags |= IOSQE_ASYNC;
    }
    io_uring_submit(&ring);
    struct io_uring_cqe *c;
    if (io_uring_wait_cqe(&ring, &c))
        return -1;
    int r = c->res;
    io_uring_cqe_seen(&ring, c);
    return r;
}
static void *unshare_thread(void *x)
{
    (void)x;
    syscall(SYS_unshare, CLONE_FILES);
    for (int i = 0; i < 5; i++) {
        int f = open("/dev/null", 0);
        if (i & 1)
            close(f);
    }
    usleep(3000);
    return 0;
}
static void *close_range_thread(void *x)
{
    (void)x;
    syscall(436, 3u, 200u, 2u);
    (void)!open("/dev/null", 0);
    usleep(2000);
    return 0;
}
static int op(int k)
{
    int p[2], r = -1, a = any_kept(), b = any_kept();
    switch (k) {
    case 0: return keep(open("/etc/passwd", O_RDONLY | (chance() % 2 ? O_CLOEXEC : 0)));
    case 1: return keep(openat(AT_FDCWD, "/tmp", O_RDONLY | O_DIRECTORY));
    case 2: {
        struct open_how h = {.flags = O_RDONLY};
        return keep(syscall(437, AT_FDCWD, "/etc/hostname", &h, sizeof h));
    }
    case 3: {
        char nm[64];
        sprintf(nm, "/tmp/t_%d", chance() % 50);
        return keep(syscall(85, nm, 0600));
    }
    case 4: return keep(open("/tmp", O_TMPFILE | O_RDWR, 0600));
    case 5: return keep(open("/etc", O_PATH));
    case 6:
        return keep(socket(chance() % 2 ? AF_INET : AF_UNIX,
                           SOCK_STREAM | (chance() % 2 ? SOCK_CLOEXEC : 0), 0));
    case 7: return keep(socket(AF_NETLINK, SOCK_RAW, 0));
    case 8:
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, p) == 0) {
            keep(p[0]);
            return keep(p[1]);
        }
        return -1;
    case 9:
    case 10: {
        int l = socket(AF_INET, SOCK_STREAM, 0);
        struct sockaddr_in sa = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t sl = sizeof sa;
        if (l < 0)
            return -1;
        bind(l, (void *)&sa, sl);
        listen(l, 4);
        getsockname(l, (void *)&sa, &sl);
        int c = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        connect(c, (void *)&sa, sl);
        fcntl(l, F_SETFL, O_NONBLOCK);
        keep(c);
        r = k == 9 ? syscall(43, l, 0, 0) : accept4(l, 0, 0, SOCK_CLOEXEC);
        keep(r);
        close(l);
        return r;
    }
    case 11: return keep(dup(a));
    case 12: {
        int t = 500 + chance() % 300;
        r = dup2(a, t);
        if (r >= 0) {
            int f = 0;
            for (int i = 0; i < n; i++)
                if (F[i] == r)
                    f = 1;
            if (!f)
                keep(r);
        }
        return r;
    }
    case 13:
        if (a == b)
            return dup2(a, b);
        return dup2(a, b); // dup2 over an open descriptor
    case 14:
        if (a == b)
            return -1;
        return dup3(a, b, O_CLOEXEC);
    case 15: return keep(fcntl(a, F_DUPFD, 100));
    case 16: return keep(fcntl(a, F_DUPFD_CLOEXEC, 900 + chance() % 50));
    case 17:
        if (syscall(22, p) == 0) {
            keep(p[0]);
            return keep(p[1]);
        }
        return -1;
    case 18:
        if (pipe2(p, O_CLOEXEC) == 0) {
            keep(p[0]);
            return keep(p[1]);
        }
        return -1;
    case 19: return keep(epoll_create1(EPOLL_CLOEXEC));
    case 20: return keep(syscall(213, 5));
    case 21: return keep(eventfd(0, EFD_CLOEXEC));
    case 22: return keep(syscall(284, 0));
    case 23: return keep(timerfd_create(CLOCK_MONOTONIC, 0));
    case 24: {
        sigset_t s;
        sigemptyset(&s);
        sigaddset(&s, SIGUSR2);
        r = signalfd(-1, &s, 0);
        keep(r);
        if (r >= 0)
            signalfd(r, &s, 0);
        return r;
    }
    case 25: return keep(memfd_create("x", 0));
    case 26: return keep(syscall(447, 0));
    case 27: return keep(syscall(434, getpid(), 0));
    case 28: {
        int pf = syscall(434, getpid(), 0);
        if (pf < 0)
            return -1;
        r = syscall(438, pf, a < 0 ? 1 : a, 0);
        keep(r);
        close(pf);
        return r;
    }
    case 29: return keep(inotify_init1(0));
    case 30: return keep(syscall(253));
    case 31: {
        int f = fanotify_init(FAN_CLASS_NOTIF | FAN_NONBLOCK, O_RDONLY);
        if (f < 0)
            return -1;
        keep(f);
        if (fanotify_mark(f, FAN_MARK_ADD, FAN_OPEN, AT_FDCWD, "/etc/hostname"))
            return -1;
        int q = open("/etc/hostname", O_RDONLY);
        close(q);
        struct fanotify_event_metadata m[8];
        int l = read(f, m, sizeof m);
        for (int i = 0; i < l / (int)sizeof *m; i++)
            if (m[i].fd >= 0)
                r = keep(m[i].fd);
        return r;
    }
    case 32: {
        struct perf_event_attr pa = {.type = PERF_TYPE_SOFTWARE,
                                     .size = sizeof pa,
                                     .config = PERF_COUNT_SW_TASK_CLOCK,
                                     .disabled = 1};
        return keep(syscall(298, &pa, 0, -1, -1, 0));
    }
    case 33: {
        union bpf_attr at;
        memset(&at, 0, sizeof at);
        at.map_type = BPF_MAP_TYPE_ARRAY;
        at.key_size = 4;
        at.value_size = 4;
        at.max_entries = 1;
        return keep(syscall(321, 0, &at, sizeof at));
    }
    case 34: return keep(syscall(323, O_CLOEXEC));
    case 35: {
        struct mq_attr ma = {.mq_maxmsg = 2, .mq_msgsize = 8};
        r = mq_open("/fdsx", O_CREAT | O_RDWR, 0600, &ma);
        return keep(r);
    }
    case 36: {
        struct landlock_ruleset_attr la = {.handled_access_fs = 1};
        return keep(syscall(444, &la, sizeof la, 0));
    }
    case 37: {
        struct io_uring_params ip;
        memset(&ip, 0, sizeof ip);
        return keep(syscall(425, 4, &ip));
    }
    case 38: r = by_uring(0, 0); return keep(r);
    case 39: r = by_uring(2, 0); return keep(r);
    case 40: r = by_uring(3, 0); return keep(r);
    case 41:
        if (!n)
            return -1;
        {
            int i = chance() % n;
            int f = F[i];
            F[i] = F[--n];
            return by_uring(1, f);
        }
    case 42:
    case 43: {
        int s[2];
        if (socketpair(AF_UNIX, SOCK_DGRAM, 0, s))
            return -1;
        int fs[3] = {a < 0 ? 0 : a, b < 0 ? 0 : b, 1};
        send_descriptors(s[0], fs, 1 + chance() % 3);
        r = receive_descriptors(s[1], k == 43);
        close(s[0]);
        close(s[1]);
        return r;
    }
    case 44: {
        struct {
            struct file_handle h;
            char b[128];
        } fh;
        int mid;
        fh.h.handle_bytes = 128;
        if (name_to_handle_at(AT_FDCWD, "/tmp", &fh.h, &mid, 0))
            return -1;
        int m = open("/tmp", O_RDONLY);
        r = open_by_handle_at(m, &fh.h, O_RDONLY);
        close(m);
        return keep(r);
    }
    case 45: return keep(syscall(428, AT_FDCWD, "/tmp", 1 /*OPEN_TREE_CLONE*/));
    case 46: r = syscall(430, "tmpfs", 0); return keep(r);
    case 47: {
        int f = syscall(430, "tmpfs", 0);
        if (f < 0)
            return -1;
        syscall(431, f, 6, 0, 0, 0);
        r = syscall(432, f, 0, 0);
        keep(r);
        close(f);
        return r;
    }
    case 48: return keep(syscall(433, AT_FDCWD, "/", 0));
    case 49: {
        int pf = -1;
        long pid = syscall(SYS_clone, CLONE_PIDFD | SIGCHLD, 0, &pf, 0, 0);
        if (pid == 0)
            _exit(0);
        waitpid(pid, 0, 0);
        return keep(pf);
    }
    case 50: {
        int m = open("/dev/ptmx", O_RDWR | O_NOCTTY);
        if (m < 0)
            return -1;
        int u = 0;
        ioctl(m, TIOCSPTLCK, &u);
        r = ioctl(m, TIOCGPTPEER, O_RDWR | O_NOCTTY);
        keep(m);
        return keep(r);
    }
    case 51: {
        int m = open("/proc/self/ns/net", O_RDONLY);
        if (m < 0)
            return -1;
        r = ioctl(m, NS_GET_USERNS);
        keep(m);
        return keep(r);
    }
    case 52: {
        int m = socket(AF_INET, SOCK_DGRAM, 0);
        r = ioctl(m, SIOCGSKNS);
        keep(m);
        return keep(r);
    }
    case 53: {
        int s[2];
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, s))
            return -1;
        int pf = -1;
        socklen_t l = 4;
        r = getsockopt(s[0], SOL_SOCKET, 77, &pf, &l);
        close(s[0]);
        close(s[1]);
        return r ? -1 : keep(pf);
    }
    case 54: {
        int s[2], on = 1;
        if (socketpair(AF_UNIX, SOCK_DGRAM, 0, s))
            return -1;
        setsockopt(s[1], SOL_SOCKET, 76, &on, 4);
        write(s[0], "x", 1);
        r = receive_descriptors(s[1], 0);
        close(s[0]);
        close(s[1]);
        return r;
    }
    case 55: {
        unsigned lo = a < 3 ? 600 : a, hi = lo + chance() % 4;
        if (ring_ok && (unsigned)ring.ring_fd >= lo && (unsigned)ring.ring_fd <= hi)
            return -1;
        if (lo < 3)
            return -1;
        r = syscall(436, lo, hi, 0);
        int j = 0;
        for (int i = 0; i < n; i++)
            if ((unsigned)F[i] < lo || (unsigned)F[i] > hi)
                F[j++] = F[i];
        n = j;
        return r;
    }
    case 56: return syscall(436, 600u, 700u, 4u); // CLOSE_RANGE_CLOEXEC
    case 57: {
        long pid = fork();
        if (pid == 0) {
            for (int i = 0; i < 20; i++) {
                int f = open("/dev/null", 0);
                if (chance() % 2)
                    close(f);
            }
            if (chance() % 2)
                syscall(436, 3u, ~0u, 2u);
            _exit(0);
        }
        if (pid > 0)
            waitpid(pid, 0, 0);
        return pid > 0 ? 0 : -1;
    }
    case 58: {
        if (chance() % 4)
            return 0;
        pthread_t t;
        if (pthread_create(&t, 0, unshare_thread, 0))
            return -1;
        pthread_join(t, 0);
        return 0;
    }
    case 59: {
        if (chance() % 4)
            return 0;
        pthread_t t;
        if (pthread_create(&t, 0, close_range_thread, 0))
            return -1;
        pthread_join(t, 0);
        return 0;
    }
    case 60: {
        struct rlimit o, q;
        getrlimit(RLIMIT_NOFILE, &o);
        if (multi)
            return 0;
        q = o;
        q.rlim_cur = 3;
        setrlimit(RLIMIT_NOFILE, &q);
        r = open("/dev/null", 0);
        int pp[2];
        pipe(pp);
        socket(AF_INET, SOCK_STREAM, 0);
        setrlimit(RLIMIT_NOFILE, &o);
        return r < 0 ? 0 : -1;
    }
    case 61:
        syscall(SYS_pipe, 8);
        close(-1);
        close(123456);
        dup2(a, -1);
        dup2(99999, 5);
        open("/nope", 0);
        socket(999, 1, 1);
        return 0;
    case 62: {
        long pid = vfork();
        if (pid == 0) {
            execl("/bin/true", "true", (char *)0);
            _exit(1);
        }
        if (pid > 0)
            waitpid(pid, 0, 0);
        return 0;
    }
    case 63: {
        FILE *f = popen("exit 0", "r");
        if (f)
            pclose(f);
        return f ? 0 : -1;
    }
    default: {
        if (!n)
            return 0;
        int i = chance() % n;
        int f = F[i];
        F[i] = F[--n];
        return close(f);
    }
    }
}
static long total;
static void *worker(void *x)
{
    seed = (unsigned)(long)x * 7919 + total + 1;
    struct timespec t0, t;
    clock_gettime(CLOCK_MONOTONIC, &t0);
    for (long i = 0;; i++) {
        int k = chance() % 64;
        if (n > 200 || chance() % 100 < 28)
            k = 99;
        int r = op(k);
        int s = k > 63 ? 64 : k;
        if (r >= 0)
            __sync_fetch_and_add(&succeeded[s], 1);
        else
            __sync_fetch_and_add(&failed[s], 1);
        if ((i & 63) == 0) {
            clock_gettime(CLOCK_MONOTONIC, &t);
            if (t.tv_sec - t0.tv_sec >= burst)
                break;
            if (chance() % 4 == 0)
                usleep(chance() % 300);
        }
    }
    return 0;
}
int main(int c, char **v)
{
    int th = c > 1 ? atoi(v[1]) : 1;
    int execs = c > 2 ? atoi(v[2]) : 3;
    burst = c > 3 ? atoi(v[3]) : 5;
    multi = th > 1;
    struct rlimit q = {20000, 20000};
    setrlimit(RLIMIT_NOFILE, &q);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGUSR2, SIG_IGN);
    total = execs * 131;
    pthread_t t[16];
    for (int i = 0; i < th - 1; i++)
        pthread_create(&t[i], 0, worker, (void *)(long)(i + 2));
    worker((void *)1);
    {
        fprintf(stderr, "exec round left %d: ops never ok:", execs);
        for (int i = 0; i < 65; i++)
            if (!succeeded[i])
                fprintf(stderr, " %d(fail %lu)", i, failed[i]);
        unsigned long so = 0;
        for (int i = 0; i < 65; i++)
            so += succeeded[i];
        fprintf(stderr, " total ok %lu\n", so);
    }
    if (execs > 0) {
        char b[16];
        sprintf(b, "%d", execs - 1);
        char *nv[] = {v[0], c > 1 ? v[1] : "1", b, c > 3 ? v[3] : "5", 0};
        execv("/proc/self/exe", nv);
        perror("exec");
    }
    return 0;
}
