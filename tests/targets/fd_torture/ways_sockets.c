// Sockets, accepted ones, and descriptors that a socket gives.
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "torture.h"

#ifndef SO_PEERPIDFD
#define SO_PEERPIDFD 77
#endif

static int by_socket(void)
{
    return keep(socket(coin() ? AF_INET : AF_UNIX, SOCK_STREAM | (coin() ? SOCK_CLOEXEC : 0), 0));
}

static int netlink(void)
{
    return keep(socket(AF_NETLINK, SOCK_RAW, 0));
}

static int by_socketpair(void)
{
    int two[2];
    return keep_two(socketpair(AF_UNIX, SOCK_STREAM, 0, two), two);
}

static int listen_on_loopback(struct sockaddr_in *ret_at)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    socklen_t size = sizeof(*ret_at);
    *ret_at =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (fd < 0)
        return -1;
    bind(fd, (struct sockaddr *)ret_at, size);
    listen(fd, 4);
    getsockname(fd, (struct sockaddr *)ret_at, &size);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    return fd;
}

static int connected(int (*accept_from)(int listener))
{
    struct sockaddr_in at;
    int listener = listen_on_loopback(&at);
    if (listener < 0)
        return -1;
    int client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    connect(client, (struct sockaddr *)&at, sizeof(at));
    keep(client);
    int fd = keep(accept_from(listener));
    close(listener);
    return fd;
}

static int accept_plainly(int listener)
{
    return accept(listener, NULL, NULL);
}

static int accept_with_flags(int listener)
{
    return accept4(listener, NULL, NULL, SOCK_CLOEXEC);
}

static int by_accept(void)
{
    return connected(accept_plainly);
}

static int by_accept4(void)
{
    return connected(accept_with_flags);
}

static int sockets_name_space(void)
{
    return keep(ioctl(keep(socket(AF_INET, SOCK_DGRAM, 0)), SIOCGSKNS));
}

static int peers_pidfd(void)
{
    int two[2], pidfd = -1;
    socklen_t size = sizeof(pidfd);
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, two))
        return -1;
    int r = getsockopt(two[0], SOL_SOCKET, SO_PEERPIDFD, &pidfd, &size);
    close(two[0]);
    close(two[1]);
    return r ? -1 : keep(pidfd);
}

const struct way socket_ways[] = {
    {"socket", by_socket},         {"netlink", netlink},
    {"socketpair", by_socketpair}, {"accept", by_accept},
    {"accept4", by_accept4},       {"SIOCGSKNS", sockets_name_space},
    {"SO_PEERPIDFD", peers_pidfd}, {0},
};
