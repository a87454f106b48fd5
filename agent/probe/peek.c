// A look at a thread that runs: its registers and stack are in nobody's hands until an event of its own hits
// it. The first look puts the event there, a later one takes what it has brought.
#include <string.h>

#include "internal.h"
#include "sampler.h"

#define PEEKS_MAX 8 // at once: each has a ring in locked memory

bool peek_running(struct probe *p, struct thread *t, struct probe_sample *ret)
{
    struct sampler_sample taken;
    if (!t->peek) {
        if (p->npeeks < PEEKS_MAX && sampler_open(&t->peek, p->config.opener, t->tid) == 0)
            p->npeeks++;
        return false;
    }
    if (sampler_newest(t->peek, &taken) <= 0)
        return false;
    size_t n = taken.stack_len < STACK_SLEEPING ? taken.stack_len : STACK_SLEEPING;
    memcpy(p->stack, taken.stack, n);
    ret->at_ns = taken.at_ns;
    ret->regs = taken.regs;
    ret->has_regs = true;
    ret->stack_base = taken.regs.sp;
    ret->stack = p->stack;
    ret->stack_len = n;
    ret->why_not = NULL;
    peek_stop(p, t);
    return true;
}

void peek_stop(struct probe *p, struct thread *t)
{
    if (!t->peek)
        return;
    sampler_close(t->peek);
    t->peek = NULL;
    p->npeeks--;
}
