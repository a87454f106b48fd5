// What io_uring does, at once or in a worker of the kernel.
#include <fcntl.h>
#include <liburing.h>
#include <sys/socket.h>

#include "torture.h"

static __thread struct io_uring ring;
static __thread bool has_ring;

bool is_ring(int fd)
{
    return has_ring && ring.ring_fd == fd;
}

static struct io_uring_sqe *order(void)
{
    if (!has_ring && io_uring_queue_init(8, &ring, 0) == 0)
        has_ring = true;
    return has_ring ? io_uring_get_sqe(&ring) : NULL;
}

static int done(void)
{
    struct io_uring_cqe *answer;
    io_uring_submit(&ring);
    if (io_uring_wait_cqe(&ring, &answer))
        return -1;
    int result = answer->res;
    io_uring_cqe_seen(&ring, answer);
    return result;
}

static int open_by_ring(const char *path, unsigned flags)
{
    struct io_uring_sqe *sqe = order();
    if (!sqe)
        return -1;
    io_uring_prep_openat(sqe, AT_FDCWD, path, O_RDONLY, 0);
    sqe->flags |= flags;
    return keep(done());
}

static int open_at_once(void)
{
    return open_by_ring("/etc/passwd", 0);
}

static int open_by_worker(void)
{
    return open_by_ring("/etc/group", IOSQE_ASYNC);
}

static int socket_by_ring(void)
{
    struct io_uring_sqe *sqe = order();
    if (!sqe)
        return -1;
    io_uring_prep_socket(sqe, AF_UNIX, SOCK_STREAM, 0, 0);
    return keep(done());
}

static int close_by_ring(void)
{
    struct io_uring_sqe *sqe = order();
    int fd = sqe ? take_kept() : -1;
    if (!sqe)
        return -1;
    io_uring_prep_close(sqe, fd); // -1 is refused, but the order is used up
    return done();
}

const struct way uring_ways[] = {
    {"io_uring openat", open_at_once},
    {"io_uring openat by a worker", open_by_worker},
    {"io_uring socket", socket_by_ring},
    {"io_uring close", close_by_ring},
    {0},
};
