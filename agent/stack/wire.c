#include "wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define PACKET 65536u // of a body; the default socket buffer takes three

struct header {
    uint32_t kind, id;
    uint64_t size;   // of the whole body
    uint64_t offset; // of this packet's part
};

union fd_space {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(int) * WIRE_FDS)];
};

static void attach_fds(struct msghdr *msg, union fd_space *space, const int *fds, int n)
{
    memset(space, 0, sizeof(*space));
    msg->msg_control = space->bytes;
    msg->msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)n);
    struct cmsghdr *c = CMSG_FIRSTHDR(msg);
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)n);
    memcpy(CMSG_DATA(c), fds, sizeof(int) * (size_t)n);
}

static int send_packet(struct wire *w, const struct header *h, const uint8_t *part, size_t n,
                       const int *fds, int nfds)
{
    union fd_space space;
    struct iovec iov[2] = {{(void *)h, sizeof(*h)}, {(void *)part, n}};
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = n ? 2 : 1};
    if (nfds > 0)
        attach_fds(&msg, &space, fds, nfds);
    ssize_t sent;
    do
        sent = sendmsg(w->fd, &msg, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? -errno : 0;
}

// Packets are as large as can be: nobody keeps the reader busy with crumbs.
static size_t part_size(size_t left)
{
    return left < PACKET ? left : PACKET;
}

int wire_send(struct wire *w, const struct message *m)
{
    struct header h = {m->kind, m->id, m->size, 0};
    int err = 0;
    do {
        size_t n = part_size(m->size - h.offset);
        err = send_packet(w, &h, m->body + h.offset, n, m->fds, h.offset ? 0 : m->nfds);
        h.offset += n;
    } while (!err && h.offset < m->size);
    return err;
}

void message_free(struct message *m)
{
    for (int i = 0; i < m->nfds; i++)
        if (m->fds[i] >= 0)
            close(m->fds[i]);
    free(m->body);
    *m = (struct message){0};
}

void wire_reset(struct wire *w)
{
    message_free(&w->partial);
    w->have = 0;
}

static void take_fds(struct msghdr *msg, struct message *m)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
            if (m->nfds < WIRE_FDS)
                m->fds[m->nfds++] = fd;
            else
                close(fd);
        }
    }
}

static int accept_header(struct wire *w, const struct header *h, size_t part)
{
    struct message *m = &w->partial;
    if (h->offset == 0) {
        if (m->body || h->size > WIRE_MAX)
            return -EPROTO;
        m->kind = h->kind;
        m->id = h->id;
        m->size = h->size;
        m->body = malloc(h->size ? h->size : 1);
        w->have = 0;
        if (!m->body)
            return -ENOMEM;
    }
    if (!m->body || h->offset != w->have || h->size != m->size || h->id != m->id ||
        part != part_size(m->size - w->have))
        return -EPROTO;
    return 0;
}

int wire_receive(struct wire *w, struct message *ret)
{
    uint8_t part[PACKET];
    struct header h;
    union fd_space space;
    do {
        struct iovec iov[2] = {{&h, sizeof(h)}, {part, sizeof(part)}};
        struct msghdr msg = {.msg_iov = iov,
                             .msg_iovlen = 2,
                             .msg_control = space.bytes,
                             .msg_controllen = sizeof(space.bytes)};
        ssize_t n = recvmsg(w->fd, &msg, MSG_CMSG_CLOEXEC);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return errno == EAGAIN ? 0 : -errno;
        if (n == 0)
            return -EPIPE;
        take_fds(&msg, &w->partial);
        size_t len = (size_t)n - sizeof(h);
        int err = (size_t)n < sizeof(h) ? -EPROTO : accept_header(w, &h, len);
        if (err < 0)
            return err;
        memcpy(w->partial.body + w->have, part, len);
        w->have += len;
    } while (!w->partial.body || w->have < w->partial.size);
    *ret = w->partial;
    w->partial = (struct message){0};
    w->have = 0;
    return 1;
}

void put_bytes(struct writer *w, const void *data, size_t n)
{
    if (w->failed)
        return;
    if (w->cap - w->len < n) {
        size_t cap = w->cap ? w->cap : 1024;
        while (cap - w->len < n)
            cap *= 2;
        uint8_t *more = realloc(w->data, cap);
        if (!more) {
            w->failed = true;
            return;
        }
        w->data = more;
        w->cap = cap;
    }
    if (n > 0)
        memcpy(w->data + w->len, data, n);
    w->len += n;
}

void put_u32(struct writer *w, uint32_t v)
{
    put_bytes(w, &v, sizeof(v));
}

void put_u64(struct writer *w, uint64_t v)
{
    put_bytes(w, &v, sizeof(v));
}

// Length with the NUL, so that the reader may point into the message; 0 is NULL.
void put_text(struct writer *w, const char *text)
{
    uint32_t n = text ? (uint32_t)strlen(text) + 1 : 0;
    put_u32(w, n);
    put_bytes(w, text, n);
}

void writer_free(struct writer *w)
{
    free(w->data);
    *w = (struct writer){0};
}

void get_bytes(struct reader *r, void *data, size_t n)
{
    if (r->bad || (size_t)(r->end - r->at) < n) {
        r->bad = true;
        memset(data, 0, n);
        return;
    }
    memcpy(data, r->at, n);
    r->at += n;
}

uint32_t get_u32(struct reader *r)
{
    uint32_t v;
    get_bytes(r, &v, sizeof(v));
    return v;
}

uint64_t get_u64(struct reader *r)
{
    uint64_t v;
    get_bytes(r, &v, sizeof(v));
    return v;
}

const char *get_text(struct reader *r)
{
    uint32_t n = get_u32(r);
    if (r->bad || n == 0)
        return NULL;
    const char *text = (const char *)r->at;
    if (n > (size_t)(r->end - r->at) || text[n - 1] != '\0') {
        r->bad = true;
        return NULL;
    }
    r->at += n;
    return text;
}
