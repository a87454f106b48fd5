// Call frame information first, at every frame. Where a frame has none: the frame pointer, if it looks
// like one (JIT code and V8's builtins keep it). Where that fails or runs into nowhere: the rescue scan.
//
// A pc that is a return address belongs to the instruction before it, which may lie in another function
// (a call that never returns) and usually on another line: it is looked up at pc - 1. Only where a thread
// stopped (the leaf, and what a signal interrupted) is the pc exact.
#include "unwind_internal.h"

#include <string.h>

#define MAX_FRAME_SIZE (16u << 20)

static bool plausible_frame_pointer(const struct regset *r)
{
    if (!reg_known(r, REGNO_RBP) || !reg_known(r, REGNO_RSP))
        return false;
    uint64_t bp = r->value[REGNO_RBP], sp = r->value[REGNO_RSP];
    return bp % 8 == 0 && bp >= sp && bp - sp < MAX_FRAME_SIZE;
}

static bool step_frame_pointer(struct process *p, const struct regset *in, struct regset *out)
{
    uint64_t pair[2];
    if (!plausible_frame_pointer(in) || !mem_read(p->mem, in->value[REGNO_RBP], pair, sizeof(pair)))
        return false;
    if (pair[1] != 0 && !process_is_code(p, pair[1]))
        return false;
    *out = (struct regset){0};
    reg_set(out, REGNO_RBP, pair[0]);
    reg_set(out, REGNO_RSP, in->value[REGNO_RBP] + sizeof(pair));
    reg_set(out, REGNO_RIP, pair[1]);
    return true;
}

static enum cfi_result step_cfi(struct process *p, const struct raw_frame *f,
                                const struct regset *in, struct regset *out, bool *signal)
{
    struct module *m = f->place.module;
    *signal = false;
    if (!m)
        return CFI_NONE;
    module_load_cfi(m);
    enum cfi_result r = cfi_step(m->eh_frame, f->address, f->place.bias, p->mem, in, out, signal);
    if (r == CFI_NONE)
        r = cfi_step(m->debug_frame, f->address, f->place.bias, p->mem, in, out, signal);
    return r;
}

// Endless recursion: what matters is where it is and how it began.
static bool make_room(struct unwound *u)
{
    const int drop = (UNWIND_FRAMES - UNWIND_INNER) / 2;
    if (u->trial || u->left_out + u->n >= UNWIND_DEPTH)
        return false;
    memmove(&u->frames[UNWIND_INNER], &u->frames[UNWIND_INNER + drop],
            (size_t)(u->n - UNWIND_INNER - drop) * sizeof(*u->frames));
    u->n -= drop;
    u->left_out += drop;
    return true;
}

static struct raw_frame *append(struct process *p, const struct regset *r, bool activation,
                                enum frame_found how, struct unwound *ret)
{
    if (ret->n == UNWIND_FRAMES && !make_room(ret))
        return NULL;
    struct raw_frame *f = &ret->frames[ret->n++];
    uint64_t pc = r->value[REGNO_RIP], lookup = pc - !activation;
    *f = (struct raw_frame){.pc = pc,
                            .sp = r->value[REGNO_RSP],
                            .bp = reg_known(r, REGNO_RBP) ? r->value[REGNO_RBP] : 0,
                            .activation = activation,
                            .how = how,
                            .place = process_locate(p, lookup)};
    f->address = f->place.module ? f->place.address : lookup;
    return f;
}

// The stack grows downwards: a caller lies above. Signal handlers may run on a stack of their own.
static bool goes_up(const struct regset *in, const struct regset *out, bool signal)
{
    return signal || out->value[REGNO_RSP] > in->value[REGNO_RSP];
}

bool unwind_from(struct process *p, struct regset *last, bool activation, enum frame_found how,
                 struct unwound *ret)
{
    struct regset next;
    bool signal;
    for (;;) {
        struct raw_frame *f = append(p, last, activation, how, ret);
        if (!f)
            return false;
        enum cfi_result r = step_cfi(p, f, last, &next, &signal);
        if (r == CFI_END)
            return true;
        how = FOUND_CFI;
        if (r != CFI_STEPPED) {
            if (!step_frame_pointer(p, last, &next))
                return false;
            how = FOUND_FRAME_POINTER;
        }
        if (next.value[REGNO_RIP] == 0)
            return true;
        if (!goes_up(last, &next, signal) || !process_is_code(p, next.value[REGNO_RIP]))
            return false;
        *last = next;
        activation = signal;
    }
}

static void to_dwarf(const struct ls_regs *from, struct regset *to)
{
    const uint64_t values[NREGS] = {from->ax,  from->dx,  from->cx,  from->bx,  from->si,
                                    from->di,  from->bp,  from->sp,  from->r8,  from->r9,
                                    from->r10, from->r11, from->r12, from->r13, from->r14,
                                    from->r15, from->ip};
    memcpy(to->value, values, sizeof(values));
    to->known = (1u << NREGS) - 1;
    // Of a thread that sleeps only sp and pc are to be had without privilege, of a suspended task of our
    // runtime rbp too: the others come as zeros.
    if (!(from->bx | from->r12 | from->r13 | from->r14 | from->r15))
        to->known = 1u << REGNO_RSP | 1u << REGNO_RIP | (from->bp ? 1u << REGNO_RBP : 0);
}

void unwind(struct process *p, const struct ls_regs *regs, struct unwound *ret)
{
    struct regset last;
    ret->n = ret->left_out = 0;
    ret->trial = false;
    ret->why_not = NULL;
    to_dwarf(regs, &last);
    ret->complete = unwind_from(p, &last, true, FOUND_CFI, ret);
    while (!ret->complete && ret->n < UNWIND_FRAMES && !mem_spent(p->mem) &&
           unwind_rescue(p, &last, ret) && !ret->complete)
        ;
    if (ret->complete)
        return;
    ret->why_not = mem_spent(p->mem)         ? "the stack could not be read to its end in time"
                   : ret->n == UNWIND_FRAMES ? "more frames than are followed"
                                             : "no way further up the stack was found";
}
