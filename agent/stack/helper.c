// The helper's main loop: one message in, one answer out, and in between questions for descriptors.
#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "inspector.h"
#include "sandbox.h"
#include "stacker.h"

#define MAX_STACK (64u << 20)

struct helper {
    struct wire wire;
    struct inspector *inspector;
    struct writer answer;
};

// Asks the agent for a descriptor and waits for it: nothing else comes meanwhile, requests are sent one
// at a time.
static int ask_for_file(void *arg, const struct file_wish *w)
{
    struct helper *h = arg;
    struct message need = {.kind = MESSAGE_NEED, .body = (uint8_t *)w, .size = sizeof(*w)}, m;
    int err = wire_send(&h->wire, &need);
    if (err < 0)
        return err;
    err = wire_receive(&h->wire, &m);
    if (err < 0)
        return err;
    int fd = -EPROTO, code = 0;
    if (m.kind == MESSAGE_FILE && m.size == sizeof(code)) {
        memcpy(&code, m.body, sizeof(code));
        fd = code < 0 ? code : m.nfds == 1 ? m.fds[0] : -EPROTO;
        if (fd >= 0)
            m.nfds = 0; // ours now
    }
    message_free(&m);
    return fd;
}

static void add_process(struct helper *h, struct message *m)
{
    struct process_files files;
    int pid;
    if (m->size != sizeof(pid) + sizeof(files.entry) || m->nfds != 2)
        return;
    memcpy(&pid, m->body, sizeof(pid));
    memcpy(&files.entry, m->body + sizeof(pid), sizeof(files.entry));
    files.mem_fd = m->fds[0];
    files.maps_fd = m->fds[1];
    m->nfds = 0;
    inspector_add(h->inspector, pid, &files);
}

static void answer_stack(struct helper *h, const struct message *m)
{
    struct stack_body b;
    void *big = MAP_FAILED;
    if (m->size < sizeof(b))
        return;
    memcpy(&b, m->body, sizeof(b));
    struct stack_request *r = &b.request;
    if (m->nfds == 1 && r->stack_len > 0 && r->stack_len <= MAX_STACK) {
        big = mmap(NULL, r->stack_len, PROT_READ, MAP_SHARED, m->fds[0], 0);
        r->stack = big == MAP_FAILED ? NULL : big;
    } else {
        r->stack = m->body + sizeof(b);
        if (r->stack_len > m->size - sizeof(b))
            r->stack_len = m->size - sizeof(b);
    }
    if (!r->stack)
        r->stack_len = 0;
    inspector_stack(h->inspector, r, b.plain, &h->answer);
    if (big != MAP_FAILED)
        munmap(big, r->stack_len);
}

static bool read_pid(const struct message *m, int *pid)
{
    if (m->size != sizeof(*pid))
        return false;
    memcpy(pid, m->body, sizeof(*pid));
    return true;
}

static void handle(struct helper *h, struct message *m)
{
    struct tasks_body tasks;
    int pid;
    switch (m->kind) {
    case MESSAGE_ADD: add_process(h, m); return;
    case MESSAGE_REMOVE:
        if (read_pid(m, &pid))
            inspector_remove(h->inspector, pid);
        return;
    case MESSAGE_PRELOAD:
        if (read_pid(m, &pid))
            inspector_preload(h->inspector, pid, &h->answer);
        break;
    case MESSAGE_STACK: answer_stack(h, m); break;
    case MESSAGE_IDENTIFY:
        if (read_pid(m, &pid))
            inspector_identify(h->inspector, pid, &h->answer);
        break;
    case MESSAGE_TASKS:
        if (m->size == sizeof(tasks)) {
            memcpy(&tasks, m->body, sizeof(tasks));
            inspector_tasks(h->inspector, &tasks, &h->answer);
        }
        break;
    default: return;
    }
    struct message answer = {.kind = MESSAGE_ANSWER,
                             .id = m->id,
                             .body = h->answer.data,
                             .size = h->answer.failed ? 0 : h->answer.len};
    if (wire_send(&h->wire, &answer) < 0)
        exit(0); // the agent is gone
    h->answer.len = 0;
    h->answer.failed = false;
}

static int serve(int fd)
{
    struct helper h = {.wire = {.fd = fd}};
    struct opener opener = {ask_for_file, &h};
    struct message m;
    h.inspector = inspector_new(&opener);
    if (!h.inspector)
        return 1;
    while (wire_receive(&h.wire, &m) > 0) {
        handle(&h, &m);
        message_free(&m);
    }
    inspector_free(h.inspector);
    writer_free(&h.answer);
    wire_reset(&h.wire);
    return 0;
}

int stack_helper_main(int fd)
{
    int err = sandbox_enter(fd);
    if (err < 0) {
        fprintf(stderr, "loopscope: the stack helper cannot shed its privileges: %s\n",
                strerror(-err));
        return 1;
    }
    // One arena, given back when free: what is big here is big for one answer only.
    mallopt(M_ARENA_MAX, 1);
    mallopt(M_TRIM_THRESHOLD, 256 << 10);
    mallopt(M_MMAP_THRESHOLD, 256 << 10);
    return serve(fd);
}
