#include "wire.h"

#include <errno.h>
#include <string.h>

#include "../record/codec.h"
#include "../record/tables.h"

#define HEAD        5 // length and kind
#define VERSION     1
#define WISH_FOR_NS 10000000000LL
static const char magic[] = "loopscope";

static void put_u32(uint8_t *at, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        at[i] = (uint8_t)(v >> 8 * i);
}

static uint32_t get_u32(const uint8_t *at)
{
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

void wire_put(struct bytes *to, enum wire_kind kind, const void *body, size_t n)
{
    uint8_t *head = bytes_more(to, HEAD);
    put_u32(head, (uint32_t)n + 1);
    head[4] = (uint8_t)kind;
    bytes_put(to, body, n);
}

void wire_put_hello(struct bytes *to)
{
    uint8_t body[sizeof(magic) + 4];
    memcpy(body, magic, sizeof(magic) - 1);
    body[sizeof(magic) - 1] = VERSION;
    put_u32(body + sizeof(magic), tables_layout());
    wire_put(to, WIRE_HELLO, body, sizeof(body));
}

int wire_take_hello(const uint8_t *body, size_t n)
{
    if (n < sizeof(magic) || memcmp(body, magic, sizeof(magic) - 1) != 0)
        return -EBADMSG;
    bool ours = n == sizeof(magic) + 4 && body[sizeof(magic) - 1] == VERSION &&
                get_u32(body + sizeof(magic)) == tables_layout();
    return ours ? 0 : -ENOTSUP;
}

static void put_until(struct bytes *to, int64_t until_ns, int64_t now_ns)
{
    bytes_varint(to, until_ns > now_ns ? (uint64_t)(until_ns - now_ns) : 0);
}

static void put_rows(struct bytes *to, const struct wish_rows *w, int64_t now_ns)
{
    put_until(to, w->until_ns, now_ns);
    bytes_varint(to, zigzag(w->pid));
    bytes_varint(to, zigzag(w->tid));
    bytes_varint(to, zigzag(w->first));
    bytes_varint(to, zigzag(w->count));
    bytes_varint(to, w->flags);
    bytes_varint(to, zigzag(w->state));
    bytes_text(to, w->filter);
    bytes_text(to, w->sort);
}

void wire_put_wish(struct bytes *to, const struct wishes *w, int64_t now_ns)
{
    struct bytes body = {0};
    put_rows(&body, &w->tasks, now_ns);
    put_rows(&body, &w->fds, now_ns);
    put_until(&body, w->fd_stacks_until_ns, now_ns);
    put_until(&body, w->handles_until_ns, now_ns);
    put_until(&body, w->thread_checks_until_ns, now_ns);
    put_until(&body, w->gc_walk_until_ns, now_ns);
    wire_put(to, WIRE_WISH, body.at, body.n);
    bytes_free(&body);
}

static int64_t take_until(struct reading *r, int64_t now_ns)
{
    uint64_t ns = take_varint(r);
    if (ns == 0)
        return 0;
    return now_ns + (int64_t)(ns < WISH_FOR_NS ? ns : WISH_FOR_NS);
}

static int take_int(struct reading *r, int least, int most)
{
    int64_t v = unzigzag(take_varint(r));
    r->bad |= v < least || v > most;
    return r->bad ? 0 : (int)v;
}

static void take_words(struct reading *r, char *to, size_t size)
{
    size_t n;
    const char *text = take_text(r, &n);
    r->bad |= !text || n >= size || memchr(text, '\0', n);
    if (r->bad)
        return;
    memcpy(to, text, n);
    to[n] = '\0';
}

static void take_rows(struct reading *r, struct wish_rows *w, int64_t now_ns)
{
    w->until_ns = take_until(r, now_ns);
    w->pid = take_int(r, 0, INT32_MAX);
    w->tid = take_int(r, 0, INT32_MAX);
    w->first = take_int(r, 0, INT32_MAX - WISH_ROWS_MAX);
    w->count = take_int(r, 0, WISH_ROWS_MAX);
    w->flags = (unsigned)take_varint(r);
    w->state = take_int(r, -1, TASK_CANCELLED);
    take_words(r, w->filter, sizeof(w->filter));
    take_words(r, w->sort, sizeof(w->sort));
}

int wire_take_wish(struct wishes *w, int64_t now_ns, const uint8_t *body, size_t n)
{
    struct reading r = {.at = body, .end = body + n};
    struct wishes got = {0};
    take_rows(&r, &got.tasks, now_ns);
    take_rows(&r, &got.fds, now_ns);
    got.fd_stacks_until_ns = take_until(&r, now_ns);
    got.handles_until_ns = take_until(&r, now_ns);
    got.thread_checks_until_ns = take_until(&r, now_ns);
    got.gc_walk_until_ns = take_until(&r, now_ns);
    if (r.bad || r.at != r.end)
        return -EBADMSG;
    *w = got;
    return 0;
}

void wire_add(struct wire_frames *f, const void *bytes, size_t n)
{
    if (f->taken > 0) {
        f->pending.n -= f->taken;
        memmove(f->pending.at, f->pending.at + f->taken, f->pending.n);
        f->taken = 0;
    }
    bytes_put(&f->pending, bytes, n);
}

int wire_next(struct wire_frames *f, enum wire_kind *kind, const uint8_t **body, size_t *n)
{
    size_t have = f->pending.n - f->taken;
    const uint8_t *at = f->pending.at + f->taken;
    if (have < HEAD)
        return 0;
    size_t length = get_u32(at);
    if (length == 0 || length > f->max)
        return -EBADMSG;
    if (have - 4 < length)
        return 0;
    *kind = (enum wire_kind)at[4];
    *body = at + HEAD;
    *n = length - 1;
    f->taken += 4 + length;
    return 1;
}
