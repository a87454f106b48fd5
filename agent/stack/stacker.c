// Two lanes, each a helper process with a queue: stacks and identities in one, task lists, which may take
// most of a second, in the other, started when the first is asked for. A lane works on one request at a
// time, so that a helper's death or a passed deadline costs that request only, and a helper that asks for
// a file knows that what comes next is the answer.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include <uthash.h>

#include "answer.h"
#include "inspector.h"
#include "lane.h"
#include "opener.h"
#include "stacker.h"

#define LANES           2
#define INLINE_STACK    (60u << 10) // longer copies travel as a memfd
#define MAX_STACK       (64u << 20)
#define DEATHS_IN_A_ROW 4 // of the helper, on one process: then it is left alone for a while
#define LEFT_ALONE_NS   10000000000ll

struct target {
    int pid;
    struct process_files files;
    uint32_t told[LANES]; // generation of the helper that knows it; 0 none
    int deaths;
    int64_t left_alone_until_ns;
    UT_hash_handle hh;
};

struct job {
    struct job *next;
    enum message_kind kind;
    uint32_t id;
    int pid;
    int64_t allowed_ns;
    struct stack_body stack;
    uint8_t *copy; // of the stack
    struct tasks_body tasks;
    stack_cb on_stack;
    identity_cb on_identity;
    tasks_cb on_tasks;
    void *arg;
};

struct work {
    struct lane lane;
    struct job *first, **last;
    struct job *current;
    int64_t deadline_ns;
    int nforget, forget_cap;
    int *forget; // processes removed: the helper is told before the next request
};

struct stacker {
    int epoll, wake; // wake: something is to be answered without a message
    struct work lanes[LANES];
    struct target *targets;
    uint32_t next_id;
    bool closing;
};

static int64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ll + t.tv_nsec;
}

static struct target *find_target(const struct stacker *s, int pid)
{
    struct target *t;
    HASH_FIND_INT(s->targets, &pid, t);
    return t;
}

// ---- answers

static void fail_job(struct job *j, const char *why_not)
{
    if (j->on_stack)
        j->on_stack(j->arg, &(struct stack_answer){.why_not = why_not, .loop_run_index = -1});
    if (j->on_identity)
        j->on_identity(j->arg, NULL);
    if (j->on_tasks)
        j->on_tasks(j->arg, &(struct tasks_answer){.why_not = why_not});
}

static void free_job(struct job *j)
{
    free(j->copy);
    free(j);
}

static bool answer_stack(struct job *j, struct reader *r)
{
    struct stack_answer a;
    if (!get_stack(r, &a)) {
        stack_unref(a.stack);
        return false;
    }
    if (!a.stack && !a.why_not)
        a.why_not = "no frame was found";
    j->on_stack(j->arg, &a);
    stack_unref(a.stack);
    return true;
}

static bool answer_identity(struct job *j, struct reader *r)
{
    struct identity id;
    bool known = get_u32(r);
    if (known && !get_identity(r, &id))
        return false;
    j->on_identity(j->arg, known ? &id : NULL);
    return true;
}

static bool answer_tasks(struct job *j, struct reader *r)
{
    struct tasks_answer a;
    struct task_row *rows;
    struct frame *chains;
    bool good = get_tasks(r, &a, &rows, &chains);
    if (good)
        j->on_tasks(j->arg, &a);
    free(rows);
    free(chains);
    return good;
}

static bool answer_job(struct job *j, const struct message *m)
{
    struct reader r = {m->body, m->body + m->size, false};
    switch (j->kind) {
    case MESSAGE_STACK: return answer_stack(j, &r);
    case MESSAGE_IDENTIFY: return answer_identity(j, &r);
    case MESSAGE_TASKS: return answer_tasks(j, &r);
    default: return true;
    }
}

// ---- sending

static int send_memfd(struct wire *w, struct message *m, const struct job *j)
{
    size_t len = j->stack.request.stack_len;
    int fd = memfd_create("stack", MFD_CLOEXEC);
    if (fd < 0)
        return -errno;
    int err = write(fd, j->copy, len) == (ssize_t)len ? 0 : -EIO;
    if (!err) {
        m->nfds = 1;
        m->fds[0] = fd;
        err = wire_send(w, m);
    }
    close(fd);
    return err;
}

static int send_stack(struct wire *w, struct message *m, const struct job *j)
{
    struct writer body = {0};
    put_bytes(&body, &j->stack, sizeof(j->stack));
    bool fits = j->stack.request.stack_len <= INLINE_STACK;
    if (fits)
        put_bytes(&body, j->copy, j->stack.request.stack_len);
    m->body = body.data;
    m->size = body.len;
    int err = body.failed ? -ENOMEM : fits ? wire_send(w, m) : send_memfd(w, m, j);
    writer_free(&body);
    return err;
}

static int send_pid(struct wire *w, enum message_kind kind, uint32_t id, int pid)
{
    return wire_send(
        w, &(struct message){.kind = kind, .id = id, .body = (uint8_t *)&pid, .size = sizeof(pid)});
}

static int send_target(struct work *w, int lane, struct target *t)
{
    uint8_t body[sizeof(t->pid) + sizeof(t->files.entry)];
    if (t->told[lane] == w->lane.generation)
        return 0;
    memcpy(body, &t->pid, sizeof(t->pid));
    memcpy(body + sizeof(t->pid), &t->files.entry, sizeof(t->files.entry));
    int err =
        wire_send(&w->lane.wire, &(struct message){.kind = MESSAGE_ADD,
                                                   .body = body,
                                                   .size = sizeof(body),
                                                   .nfds = 2,
                                                   .fds = {t->files.mem_fd, t->files.maps_fd}});
    if (!err)
        t->told[lane] = w->lane.generation;
    return err;
}

static int send_forgotten(struct work *w)
{
    int err = 0;
    for (int i = 0; i < w->nforget && !err; i++)
        err = send_pid(&w->lane.wire, MESSAGE_REMOVE, 0, w->forget[i]);
    w->nforget = 0;
    return err;
}

static int send_job(struct wire *w, const struct job *j)
{
    struct message m = {.kind = j->kind, .id = j->id};
    if (j->kind == MESSAGE_STACK)
        return send_stack(w, &m, j);
    if (j->kind != MESSAGE_TASKS)
        return send_pid(w, j->kind, j->id, j->pid);
    m.body = (uint8_t *)&j->tasks;
    m.size = sizeof(j->tasks);
    return wire_send(w, &m);
}

static int ensure_helper(struct stacker *s, struct work *w)
{
    if (w->lane.pid != 0)
        return 0;
    int err = lane_start(&w->lane);
    if (err < 0)
        return err;
    w->nforget = 0; // a new one knows nobody
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = w};
    if (epoll_ctl(s->epoll, EPOLL_CTL_ADD, w->lane.wire.fd, &e) == 0)
        return 0;
    err = -errno;
    lane_stop(&w->lane);
    return err;
}

static struct job *take_first(struct work *w)
{
    struct job *j = w->first;
    if (j && !(w->first = j->next))
        w->last = &w->first;
    return j;
}

static void ring(struct stacker *s)
{
    uint64_t one = 1;
    ssize_t ignored = write(s->wake, &one, sizeof(one));
    (void)ignored; // full: it rings already
}

// Why the first request of the lane could not be sent; NULL: it was, or there is none.
static const char *send_first(struct stacker *s, struct work *w)
{
    if (w->current || !w->first)
        return NULL;
    struct job *j = w->first;
    struct target *t = find_target(s, j->pid);
    if (!t)
        return "the process is not watched any longer";
    if (t->left_alone_until_ns > now_ns())
        return "reading this process ended the helper several times: it is left alone for a while";
    if (ensure_helper(s, w) < 0)
        return "the stack helper could not be started";
    int err = send_forgotten(w);
    if (!err)
        err = send_target(w, (int)(w - s->lanes), t);
    if (!err)
        err = send_job(&w->lane.wire, j);
    if (err < 0) {
        lane_stop(&w->lane);
        return "the stack helper could not be reached";
    }
    w->current = take_first(w);
    w->deadline_ns = now_ns() + j->allowed_ns;
    return NULL;
}

// Sends what can be sent; requests that cannot be are answered as failed. Calls callbacks.
static void pump(struct stacker *s, struct work *w)
{
    const char *why_not;
    while ((why_not = send_first(s, w))) {
        struct job *j = take_first(w);
        fail_job(j, why_not);
        free_job(j);
    }
}

// ---- the helper's side of things

// The helper is dead, mute or mad. Its request is tried once more without walkers and lines.
static void lose_helper(struct stacker *s, struct work *w, const char *why_not)
{
    struct job *j = w->current;
    lane_stop(&w->lane);
    w->current = NULL;
    if (!j)
        return;
    struct target *t = find_target(s, j->pid);
    if (t && ++t->deaths >= DEATHS_IN_A_ROW) {
        t->deaths = 0;
        t->left_alone_until_ns = now_ns() + LEFT_ALONE_NS;
    }
    if (j->kind == MESSAGE_STACK && !j->stack.plain && t) {
        j->stack.plain = true;
        if (!(j->next = w->first))
            w->last = &j->next;
        w->first = j;
        return;
    }
    fail_job(j, why_not);
    free_job(j);
}

static int answer_need(struct stacker *s, struct work *w, const struct message *m)
{
    struct file_wish wish;
    if (m->size != sizeof(wish))
        return -EPROTO;
    memcpy(&wish, m->body, sizeof(wish));
    wish.build_id[sizeof(wish.build_id) - 1] = '\0';
    int fd = find_target(s, wish.pid) ? open_file_wish(&wish) : -ESRCH;
    int code = fd < 0 ? fd : 0;
    struct message file = {.kind = MESSAGE_FILE,
                           .body = (uint8_t *)&code,
                           .size = sizeof(code),
                           .nfds = fd >= 0,
                           .fds = {fd}};
    int err = wire_send(&w->lane.wire, &file);
    if (fd >= 0)
        close(fd);
    return err;
}

static int take_answer(struct stacker *s, struct work *w, const struct message *m)
{
    struct job *j = w->current;
    if (!j || m->id != j->id)
        return -EPROTO;
    w->current = NULL;
    struct target *t = find_target(s, j->pid);
    if (t && !j->stack.plain)
        t->deaths = 0;
    bool good = answer_job(j, m);
    if (!good)
        fail_job(j, "the stack helper's answer made no sense");
    free_job(j);
    return good ? 0 : -EPROTO;
}

static void receive(struct stacker *s, struct work *w)
{
    struct message m;
    while (w->lane.pid != 0) {
        int r = wire_receive(&w->lane.wire, &m);
        if (r == 0)
            return;
        if (r > 0) {
            r = m.kind == MESSAGE_NEED     ? answer_need(s, w, &m)
                : m.kind == MESSAGE_ANSWER ? take_answer(s, w, &m)
                                           : -EPROTO;
            message_free(&m);
        }
        if (r < 0)
            lose_helper(s, w, "the stack helper died reading this");
        else
            pump(s, w);
    }
}

// ---- public

int stacker_open(struct stacker **ret, struct error *err)
{
    struct stacker *s = calloc(1, sizeof(*s));
    *ret = NULL;
    if (!s)
        return error_set(err, STATUS_INTERNAL, ENOMEM, "out of memory");
    for (int i = 0; i < LANES; i++)
        s->lanes[i].last = &s->lanes[i].first;
    s->epoll = epoll_create1(EPOLL_CLOEXEC);
    s->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = NULL};
    int failed = 0;
    if (s->epoll < 0 || s->wake < 0 || epoll_ctl(s->epoll, EPOLL_CTL_ADD, s->wake, &e) != 0)
        failed = -errno;
    if (!failed)
        failed = ensure_helper(s, &s->lanes[0]);
    if (failed) {
        stacker_close(s);
        return error_set(err, STATUS_INTERNAL, -failed, "the stack helper could not be started: %s",
                         strerror(-failed));
    }
    *ret = s;
    return 0;
}

static void fail_all(struct work *w)
{
    struct job *j = w->current;
    w->current = NULL;
    for (; j; j = take_first(w)) {
        fail_job(j, "loopscope is ending");
        free_job(j);
    }
    while ((j = take_first(w))) {
        fail_job(j, "loopscope is ending");
        free_job(j);
    }
}

static void free_target(struct stacker *s, struct target *t)
{
    HASH_DEL(s->targets, t);
    close_process_files(&t->files);
    free(t);
}

void stacker_close(struct stacker *s)
{
    if (!s)
        return;
    s->closing = true;
    for (int i = 0; i < LANES; i++) {
        lane_stop(&s->lanes[i].lane);
        fail_all(&s->lanes[i]);
        free(s->lanes[i].forget);
    }
    struct target *t, *next;
    HASH_ITER (hh, s->targets, t, next)
        free_target(s, t);
    if (s->wake >= 0)
        close(s->wake);
    if (s->epoll >= 0)
        close(s->epoll);
    free(s);
}

int stacker_fd(struct stacker *s)
{
    return s->epoll;
}

int64_t stacker_deadline_ns(struct stacker *s)
{
    int64_t first = INT64_MAX;
    for (int i = 0; i < LANES; i++)
        if (s->lanes[i].current && s->lanes[i].deadline_ns < first)
            first = s->lanes[i].deadline_ns;
    return first;
}

void stacker_dispatch(struct stacker *s)
{
    uint64_t rung;
    ssize_t ignored = read(s->wake, &rung, sizeof(rung));
    (void)ignored;
    for (int i = 0; i < LANES; i++) {
        struct work *w = &s->lanes[i];
        receive(s, w);
        if (w->current && now_ns() >= w->deadline_ns)
            lose_helper(s, w, "the stack helper did not answer in time");
        pump(s, w);
    }
}

static int enqueue(struct stacker *s, int lane, const struct job *template)
{
    struct work *w = &s->lanes[lane];
    if (s->closing || !find_target(s, template->pid))
        return -ESRCH;
    struct job *j = malloc(sizeof(*j));
    if (!j)
        return -ENOMEM;
    *j = *template;
    j->next = NULL;
    j->id = ++s->next_id;
    *w->last = j;
    w->last = &j->next;
    if (send_first(s, w)) // answered from dispatch, not from here
        ring(s);
    return 0;
}

int stacker_add_process(struct stacker *s, int pid, struct error *err)
{
    struct process_files files;
    int failed = open_process_files(pid, &files, err);
    if (failed < 0)
        return failed;
    stacker_remove_process(s, pid);
    struct target *t = calloc(1, sizeof(*t));
    if (!t) {
        close_process_files(&files);
        return error_set(err, STATUS_INTERNAL, ENOMEM, "out of memory");
    }
    t->pid = pid;
    t->files = files;
    HASH_ADD_INT(s->targets, pid, t);
    return enqueue(s, 0,
                   &(struct job){.kind = MESSAGE_PRELOAD, .pid = pid, .allowed_ns = 10000000000ll});
}

static void forget(struct work *w, int pid)
{
    if (w->nforget == w->forget_cap) {
        int cap = w->forget_cap ? w->forget_cap * 2 : 16;
        int *list = realloc(w->forget, (size_t)cap * sizeof(*list));
        if (!list)
            return;
        w->forget = list;
        w->forget_cap = cap;
    }
    w->forget[w->nforget++] = pid;
}

void stacker_remove_process(struct stacker *s, int pid)
{
    struct target *t = find_target(s, pid);
    if (!t)
        return;
    for (int i = 0; i < LANES; i++)
        if (t->told[i] && t->told[i] == s->lanes[i].lane.generation)
            forget(&s->lanes[i], pid);
    free_target(s, t);
}

int stacker_stack(struct stacker *s, const struct stack_request *r, stack_cb cb, void *arg)
{
    struct job j = {.kind = MESSAGE_STACK,
                    .pid = r->pid,
                    .allowed_ns = 3000000000ll,
                    .stack = {.request = *r},
                    .on_stack = cb,
                    .arg = arg};
    j.stack.request.stack = NULL;
    if (r->stack_len > MAX_STACK)
        j.stack.request.stack_len = MAX_STACK;
    if (j.stack.request.stack_len > 0) {
        j.copy = malloc(j.stack.request.stack_len);
        if (!j.copy)
            return -ENOMEM;
        memcpy(j.copy, r->stack, j.stack.request.stack_len);
    }
    int err = enqueue(s, 0, &j);
    if (err < 0)
        free(j.copy);
    return err;
}

int stacker_identify(struct stacker *s, int pid, identity_cb cb, void *arg)
{
    return enqueue(s, 0,
                   &(struct job){.kind = MESSAGE_IDENTIFY,
                                 .pid = pid,
                                 .allowed_ns = 5000000000ll,
                                 .on_identity = cb,
                                 .arg = arg});
}

int stacker_tasks(struct stacker *s, int pid, bool gc_walk, int max_rows, tasks_cb cb, void *arg)
{
    return enqueue(s, 1,
                   &(struct job){.kind = MESSAGE_TASKS,
                                 .pid = pid,
                                 .allowed_ns = 10000000000ll,
                                 .tasks = {pid, max_rows, gc_walk},
                                 .on_tasks = cb,
                                 .arg = arg});
}

int64_t stacker_cpu_ns(struct stacker *s)
{
    int64_t sum = 0;
    for (int i = 0; i < LANES; i++)
        sum += lane_cpu_ns(&s->lanes[i].lane);
    return sum;
}

int64_t stacker_rss_anon(struct stacker *s)
{
    int64_t sum = 0;
    for (int i = 0; i < LANES; i++)
        sum += lane_rss_anon(&s->lanes[i].lane);
    return sum;
}

int64_t stacker_restarts(struct stacker *s)
{
    int64_t sum = 0;
    for (int i = 0; i < LANES; i++)
        if (s->lanes[i].lane.started > 1)
            sum += s->lanes[i].lane.started - 1;
    return sum;
}
