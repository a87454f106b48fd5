// Names to addresses: getaddrinfo on the pool, by libuv, which keeps such slow work from taking all of it.
#include "io.h"

#include <netdb.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

int ls__unix_address(struct address *a, const char *path)
{
    struct sockaddr_un *un = (struct sockaddr_un *)&a->u.storage;
    size_t n = strlen(path);
    if (n == 0 || n >= sizeof(un->sun_path))
        return n ? -ENAMETOOLONG : -EINVAL;
    memset(un, 0, sizeof(*un));
    un->sun_family = AF_UNIX;
    memcpy(un->sun_path, path, n);
    a->size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
    if (path[0] == '@')
        un->sun_path[0] = 0; // abstract: the name is as long as it is, without a NUL
    else
        a->size++;
    return 0;
}

// ---- what a task owns ----

struct answer {
    struct owned owned;
    struct addrinfo *list;
    struct answer *next; // of the thread: to find it by its list
};

static __thread struct answer *answers;

static void forget(struct answer *a)
{
    struct answer **at = &answers;
    while (*at != a)
        at = &(*at)->next;
    *at = a->next;
    ls__owned_forget(&a->owned);
    uv_freeaddrinfo(a->list);
    free(a);
}

static void release_answer(struct owned *o)
{
    forget(list_entry(o, struct answer, owned));
}

void ls_addrinfo_free(struct addrinfo *list)
{
    for (struct answer *a = list ? answers : NULL; a; a = a->next) {
        if (a->list != list)
            continue;
        forget(a);
        return;
    }
}

// ---- the question ----

struct question {
    uv_getaddrinfo_t req;
    struct ls_loop *loop;
    struct task *task; // NULL: nobody waits any more
    struct answer *answer;
    int why;
};

static int from_eai(int status)
{
    switch (status) {
    case UV_EAI_AGAIN: return -EAGAIN;
    case UV_EAI_MEMORY: return -ENOMEM;
    case UV_EAI_NONAME:
    case UV_EAI_NODATA:
    case UV_EAI_ADDRFAMILY:
    case UV_EAI_SERVICE: return -ENOENT;
    case UV_EAI_FAIL: return -EIO;
    default: return status <= -3000 ? -EINVAL : status; // -3000 and below are libuv's own
    }
}

static void answered(uv_getaddrinfo_t *req, int status, struct addrinfo *list)
{
    struct question *q = req->data;
    q->loop->pending--;
    if (!q->task) {
        uv_freeaddrinfo(list);
        free(q->answer);
        free(q);
        return;
    }
    q->answer->list = list;
    ls__wake(q->task, status == UV_EAI_CANCELED ? q->why : from_eai(status));
}

static void give_up(struct task *t, int why)
{
    struct question *q = t->wait_op;
    q->why = why;
    if (uv_cancel((uv_req_t *)&q->req) == 0)
        return; // answered wakes the task
    q->task = NULL;
    ls__wake(t, why);
}

static int ask(struct question *q, struct wait *w, const char *host, const char *service,
               const struct addrinfo *hints)
{
    int r = ls__may_wait(q->task, w);
    if (r < 0)
        return r;
    r = uv_getaddrinfo(q->loop->uv, &q->req, answered, host, service, hints);
    if (r < 0)
        return from_eai(r);
    q->loop->pending++;
    return ls__park(q->task, w);
}

int ls_resolve_at(struct ls_site *site, const char *host, const char *service,
                  const struct addrinfo *hints, struct addrinfo **ret, int64_t timeout_ns)
{
    struct task *t = task_current();
    *ret = NULL;
    if (!t)
        return ls__not_in_task(site, "ls_resolve");
    struct question *q = calloc(1, sizeof(*q));
    struct answer *a = calloc(1, sizeof(*a));
    if (!q || !a) {
        free(q);
        free(a);
        return -ENOMEM;
    }
    *q = (struct question){.loop = t->loop, .task = t, .answer = a};
    q->req.data = q;
    struct wait w = {
        .kind = LS_ABI_WAIT_DNS, .site = site, .timeout_ns = timeout_ns, .abort = give_up, .op = q};
    int r = ask(q, &w, host, service, hints);
    if (r < 0 && !q->task) // still being asked; answered frees it
        return r;
    free(q);
    if (r < 0) {
        uv_freeaddrinfo(a->list);
        free(a);
        return r;
    }
    ls__owned_init(&a->owned, t->loop, release_answer);
    a->next = answers;
    answers = a;
    *ret = a->list;
    return 0;
}
