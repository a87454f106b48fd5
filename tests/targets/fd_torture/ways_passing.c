// Descriptors that come in messages.
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "torture.h"

#ifndef SO_PASSPIDFD
#define SO_PASSPIDFD 76
#endif
#ifndef SCM_PIDFD
#define SCM_PIDFD 4
#endif
#define SENT_MAX 3

static int send_descriptors(int to, const int *fds, int n)
{
    char control[CMSG_SPACE(sizeof(int) * SENT_MAX)] = {0}, byte = 'x';
    struct iovec text = {&byte, 1};
    struct msghdr message = {.msg_iov = &text,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)n)};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)n);
    memcpy(CMSG_DATA(header), fds, sizeof(int) * (size_t)n);
    return (int)sendmsg(to, &message, 0);
}

static int keep_received(struct msghdr *message)
{
    int n = 0;
    for (struct cmsghdr *h = CMSG_FIRSTHDR(message); h; h = CMSG_NXTHDR(message, h)) {
        if (h->cmsg_level != SOL_SOCKET ||
            (h->cmsg_type != SCM_RIGHTS && h->cmsg_type != SCM_PIDFD))
            continue;
        const int *fds = (const int *)CMSG_DATA(h);
        for (size_t i = 0; i < (h->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++, n++)
            keep(fds[i]);
    }
    return n;
}

struct inbox {
    char control[1024], byte;
    struct iovec text;
    struct mmsghdr message;
};

static struct msghdr *open_inbox(struct inbox *in)
{
    in->text = (struct iovec){&in->byte, 1};
    in->message.msg_hdr = (struct msghdr){.msg_iov = &in->text,
                                          .msg_iovlen = 1,
                                          .msg_control = in->control,
                                          .msg_controllen = sizeof(in->control)};
    return &in->message.msg_hdr;
}

static int receive_one(int from)
{
    struct inbox in;
    struct msghdr *message = open_inbox(&in);
    int flags = MSG_DONTWAIT | (coin() ? MSG_CMSG_CLOEXEC : 0);
    return recvmsg(from, message, flags) > 0 ? keep_received(message) : -1;
}

static int receive_many(int from)
{
    struct inbox in;
    struct msghdr *message = open_inbox(&in);
    return recvmmsg(from, &in.message, 1, MSG_DONTWAIT, NULL) > 0 ? keep_received(message) : -1;
}

static int pass(int (*receive)(int from))
{
    int two[2], a = any_kept(), b = any_kept();
    const int sent[SENT_MAX] = {a < 0 ? 0 : a, b < 0 ? 0 : b, 1};
    if (socketpair(AF_UNIX, SOCK_DGRAM, 0, two))
        return -1;
    send_descriptors(two[0], sent, (int)(1 + chance(SENT_MAX)));
    int n = receive(two[1]);
    close(two[0]);
    close(two[1]);
    return n;
}

static int by_recvmsg(void)
{
    return pass(receive_one);
}

static int by_recvmmsg(void)
{
    return pass(receive_many);
}

static int senders_pidfd(void)
{
    int two[2], on = 1;
    if (socketpair(AF_UNIX, SOCK_DGRAM, 0, two))
        return -1;
    setsockopt(two[1], SOL_SOCKET, SO_PASSPIDFD, &on, sizeof(on));
    int n = write(two[0], "x", 1) == 1 ? receive_one(two[1]) : -1;
    close(two[0]);
    close(two[1]);
    return n;
}

const struct way passing_ways[] = {
    {"SCM_RIGHTS by recvmsg", by_recvmsg},
    {"SCM_RIGHTS by recvmmsg", by_recvmmsg},
    {"SCM_PIDFD", senders_pidfd},
    {0},
};
