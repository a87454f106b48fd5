// See work.h. The order of things: send_first puts one request to the helper; receive takes what it says,
// a question for a file or the answer; lose_helper is what happens when it says nothing or nonsense.
#include "work.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "../list.h"
#include "answer.h"
#include "clock.h"

#define INLINE_STACK    (60u << 10) // longer copies travel as a memfd
#define DEATHS_IN_A_ROW 4 // of the helper, on one process: then it is left alone for a while
#define LEFT_ALONE_NS   10000000000ll
// Of a helper: it may have been taken over, and would hold the agent by talking.
#define MESSAGES_A_TURN 64

struct target *find_target(struct target *targets, int pid)
{
    struct target *t;
    HASH_FIND_INT(targets, &pid, t);
    return t;
}

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

static int send_target(struct work *w, struct target *t)
{
    uint8_t body[sizeof(t->pid) + sizeof(t->files.entry)];
    if (t->told[w->index] == w->lane.generation)
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
        t->told[w->index] = w->lane.generation;
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

int work_start_helper(struct work *w)
{
    if (w->lane.pid != 0)
        return 0;
    int err = lane_start(&w->lane);
    if (err < 0)
        return err;
    w->nforget = 0; // a new one knows nobody
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = w};
    if (epoll_ctl(w->epoll, EPOLL_CTL_ADD, w->lane.wire.fd, &e) == 0)
        return 0;
    err = -errno;
    lane_stop(&w->lane);
    return err;
}

static struct queue *next_queue(struct work *w)
{
    return w->urgent.first ? &w->urgent : &w->later;
}

static struct job *take_first(struct queue *q)
{
    struct job *j = q->first;
    if (j && !(q->first = j->next))
        q->last = &q->first;
    return j;
}

static void put_first(struct queue *q, struct job *j)
{
    if (!(j->next = q->first))
        q->last = &j->next;
    q->first = j;
}

void work_add(struct work *w, struct job *j)
{
    struct queue *q = j->kind == MESSAGE_STACK ? &w->urgent : &w->later;
    j->next = NULL;
    *q->last = j;
    q->last = &j->next;
}

// Why the next request could not be sent; NULL: it was, or there is none, or the helper is busy.
static const char *send_first(struct work *w)
{
    struct queue *q = next_queue(w);
    struct job *j = q->first;
    if (w->current || !j)
        return NULL;
    struct target *t = find_target(*w->targets, j->pid);
    if (!t)
        return "the process is not watched any longer";
    if (t->left_alone_until_ns > now_ns())
        return "reading this process ended the helper several times: it is left alone for a while";
    if (work_start_helper(w) < 0)
        return "the stack helper could not be started";
    int err = send_forgotten(w);
    if (!err)
        err = send_target(w, t);
    if (!err)
        err = send_job(&w->lane.wire, j);
    if (err < 0) {
        lane_stop(&w->lane);
        return "the stack helper could not be reached";
    }
    w->current = take_first(q);
    w->deadline_ns = now_ns() + j->allowed_ns;
    return NULL;
}

bool work_kick(struct work *w)
{
    return send_first(w) != NULL;
}

// Sends what can be sent; requests that cannot be are answered as failed.
static void pump(struct work *w)
{
    const char *why_not;
    while ((why_not = send_first(w))) {
        struct job *j = take_first(next_queue(w));
        fail_job(j, why_not);
        free_job(j);
    }
}

// The helper is dead, mute or mad. A stack is tried once more without walkers and lines.
static void lose_helper(struct work *w, const char *why_not)
{
    struct job *j = w->current;
    lane_stop(&w->lane);
    w->current = NULL;
    if (!j)
        return;
    struct target *t = find_target(*w->targets, j->pid);
    if (t && ++t->deaths >= DEATHS_IN_A_ROW) {
        t->deaths = 0;
        t->left_alone_until_ns = now_ns() + LEFT_ALONE_NS;
    }
    if (j->kind == MESSAGE_STACK && !j->stack.plain && t) {
        j->stack.plain = true;
        put_first(&w->urgent, j);
        return;
    }
    fail_job(j, why_not);
    free_job(j);
}

static int answer_need(struct work *w, const struct message *m)
{
    struct file_wish wish;
    if (!w->current || m->size != sizeof(wish))
        return -EPROTO;
    memcpy(&wish, m->body, sizeof(wish));
    wish.build_id[sizeof(wish.build_id) - 1] = '\0';
    int fd = find_target(*w->targets, wish.pid) ? open_file_wish(&wish) : -ESRCH;
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

static int take_answer(struct work *w, const struct message *m)
{
    struct job *j = w->current;
    if (!j || m->id != j->id)
        return -EPROTO;
    w->current = NULL;
    struct target *t = find_target(*w->targets, j->pid);
    if (t && !j->stack.plain)
        t->deaths = 0;
    bool good = answer_job(j, m);
    if (!good)
        fail_job(j, "the stack helper's answer made no sense");
    free_job(j);
    return good ? 0 : -EPROTO;
}

static void receive(struct work *w)
{
    struct message m;
    for (int i = 0; i < MESSAGES_A_TURN && w->lane.pid != 0; i++) {
        int r = wire_receive(&w->lane.wire, &m);
        if (r == 0)
            return;
        if (r > 0) {
            r = m.kind == MESSAGE_NEED     ? answer_need(w, &m)
                : m.kind == MESSAGE_ANSWER ? take_answer(w, &m)
                                           : -EPROTO;
            message_free(&m);
        }
        if (r < 0)
            lose_helper(w, "the stack helper died reading this");
        else
            pump(w);
    }
}

void work_dispatch(struct work *w)
{
    receive(w);
    if (w->current && now_ns() >= w->deadline_ns)
        lose_helper(w, "the stack helper did not answer in time");
    pump(w);
}

void work_init(struct work *w, int index, int epoll, struct target **targets,
               struct spawner *spawner)
{
    *w = (struct work){
        .lane = {.spawner = spawner}, .index = index, .epoll = epoll, .targets = targets};
    w->urgent.last = &w->urgent.first;
    w->later.last = &w->later.first;
}

void work_stop(struct work *w, const char *why_not)
{
    struct job *j = w->current;
    lane_stop(&w->lane);
    w->current = NULL;
    while (j || (j = take_first(next_queue(w)))) {
        fail_job(j, why_not);
        free_job(j);
        j = NULL;
    }
    free(w->forget);
    w->forget = NULL;
    w->nforget = w->forget_cap = 0;
}

void work_forget(struct work *w, const struct target *t)
{
    if (!t->told[w->index] || t->told[w->index] != w->lane.generation)
        return;
    if (list_room(w->forget, w->nforget, w->forget_cap))
        w->forget[w->nforget++] = t->pid;
}
