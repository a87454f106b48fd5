// Hand-written assembly and code without call frame information end a walk early. But the return address
// of that frame does lie on the stack, with the caller's frame pointer below it if there is one. So every
// word that is an address just behind a call instruction is tried as that return address, and the walk
// goes on from there.
//
// Stale return addresses of earlier calls lie there too. Two things tell them apart: a direct call whose
// target is the very function we are stuck in is the right one; else the trial that reaches the outermost
// frame with the most frames wins (a stale one joins the true chain late, or never). What only this guess
// supports is marked: frame_found FOUND_RESCUE.
#include <stdlib.h>
#include <string.h>

#include "culprit.h"
#include "unwind_internal.h"

#define SCAN_BYTES    (64u << 10)
#define MAX_TRIALS    32
#define TOP_BYTES     512u // between the outermost frame and argc
#define MAX_ARGUMENTS 100000u
#define MAX_STACK_TOP (8u << 20)
#define LONGEST_CALL  7

struct candidate {
    struct regset regs;
    bool certain;
};

// What kind of call ends just before address; *target of a direct one, else 0.
static bool behind_call(struct process *p, uint64_t address, uint64_t *target)
{
    uint8_t b[LONGEST_CALL];
    *target = 0;
    if (address < 4096 || !mem_read(p->mem, address - LONGEST_CALL, b, sizeof(b)))
        return false;
    if (b[2] == 0xe8) {
        int32_t distance;
        memcpy(&distance, b + 3, sizeof(distance));
        *target = address + (uint64_t)(int64_t)distance;
        return true;
    }
    // ff /2 with its addressing forms: two to seven bytes long.
    static const struct {
        int length;
        uint8_t mask, value; // of the ModRM byte
    } forms[] = {{2, 0xf8, 0xd0}, {2, 0xf8, 0x10}, {3, 0xf8, 0x50}, {3, 0xff, 0x14},
                 {4, 0xff, 0x54}, {6, 0xf8, 0x90}, {6, 0xff, 0x15}, {7, 0xff, 0x94}};
    for (size_t i = 0; i < sizeof(forms) / sizeof(*forms); i++) {
        const uint8_t *op = b + LONGEST_CALL - forms[i].length;
        if (op[0] == 0xff && (op[1] & forms[i].mask) == forms[i].value)
            return true;
    }
    return false;
}

static bool frame_pointer_below(struct process *p, uint64_t slot, uint64_t *ret)
{
    return mem_u64(p->mem, slot - 8, ret) && *ret > slot && *ret - slot < (1u << 20) &&
           *ret % 8 == 0;
}

static bool make_candidate(struct process *p, const struct regset *last, uint64_t slot,
                           uint64_t function, struct candidate *ret)
{
    uint64_t pc, target, bp;
    if (!mem_u64(p->mem, slot, &pc) || !process_is_code(p, pc) || !behind_call(p, pc, &target))
        return false;
    *ret = (struct candidate){.certain = function && target == function};
    // Callee-saved registers are taken as untouched: assembly that keeps no CFI rarely saves them, and a
    // caller that needs them and finds nonsense fails its own checks.
    ret->regs = *last;
    ret->regs.known &= 1u << REGNO_RBX | 1u << REGNO_RBP | 0xfu << REGNO_R12;
    if (slot >= 8 && frame_pointer_below(p, slot, &bp))
        reg_set(&ret->regs, REGNO_RBP, bp);
    reg_set(&ret->regs, REGNO_RSP, slot + 8);
    reg_set(&ret->regs, REGNO_RIP, pc);
    return true;
}

static uint64_t start_of_function(const struct raw_frame *f)
{
    struct symbol s;
    return f->place.module && module_symbol_at(f->place.module, f->address, &s)
               ? s.address + f->place.bias
               : 0;
}

// The first frame of a program lies right below what the kernel put there: argc, argv up to a NULL.
static bool at_stack_top(struct process *p, uint64_t sp)
{
    uint64_t argc, argument, end;
    for (uint64_t at = (sp + 7) & ~7ull; at < sp + TOP_BYTES; at += 8) {
        if (!mem_u64(p->mem, at, &argc))
            return false;
        if (argc == 0 || argc > MAX_ARGUMENTS || !mem_u64(p->mem, at + 8, &argument) ||
            argument <= at || argument - at > MAX_STACK_TOP ||
            !mem_u64(p->mem, at + 8 + argc * 8, &end) || end != 0)
            continue;
        return true;
    }
    return false;
}

static bool is_start_frame(const struct raw_frame *f)
{
    struct symbol s;
    return f->place.module && module_symbol_at(f->place.module, f->address, &s) &&
           is_start_function(s.name);
}

struct trial {
    struct regset regs;
    int frames; // longer is better; 0 none yet
    bool complete;
    bool starts;  // a thread or the program begins at its end
    bool certain; // not a guess
};

static bool better(const struct trial *a, const struct trial *b)
{
    return a->complete != b->complete ? a->complete : a->frames > b->frames;
}

// Unwinds from a candidate and takes the frames back again.
static struct trial try_candidate(struct process *p, const struct candidate *c, struct unwound *ret)
{
    struct trial t = {.regs = c->regs};
    struct regset walk = c->regs;
    int start = ret->n;
    ret->trial = true;
    t.complete = unwind_from(p, &walk, false, FOUND_RESCUE, ret);
    t.frames = ret->n - start;
    t.starts = t.frames > 0 && is_start_frame(&ret->frames[ret->n - 1]);
    t.certain = c->certain && (t.complete || t.frames > 2);
    ret->n = start;
    ret->trial = false;
    return t;
}

static struct trial best_candidate(struct process *p, const struct regset *last,
                                   struct unwound *ret)
{
    uint64_t function = start_of_function(&ret->frames[ret->n - 1]);
    uint64_t slot = last->value[REGNO_RSP] & ~7ull, end = slot + SCAN_BYTES;
    struct trial best = {.frames = 0};
    int trials = 0;
    for (; slot < end && trials < MAX_TRIALS && !mem_spent(p->mem); slot += 8) {
        struct candidate c;
        if (!make_candidate(p, last, slot, function, &c))
            continue;
        struct trial t = try_candidate(p, &c, ret);
        trials++;
        if (t.certain)
            return t;
        if (better(&t, &best))
            best = t;
    }
    return best;
}

bool unwind_rescue(struct process *p, struct regset *last, struct unwound *ret)
{
    if (!reg_known(last, REGNO_RSP) || ret->n == 0)
        return false;
    struct trial best = best_candidate(p, last, ret);
    // One lone address that leads nowhere is no frame, unless threads begin there.
    if (best.frames < 2 && !best.starts) {
        // Where musl's programs begin there is neither information nor a caller.
        ret->complete = at_stack_top(p, last->value[REGNO_RSP]);
        return ret->complete;
    }
    *last = best.regs;
    ret->complete = unwind_from(p, last, false, best.certain ? FOUND_CFI : FOUND_RESCUE, ret);
    return true;
}
