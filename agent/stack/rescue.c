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

#include "unwind_internal.h"

#define SCAN_BYTES   (64u << 10)
#define MAX_TRIALS   32
#define LONGEST_CALL 7

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

struct trial {
    struct regset regs;
    int frames; // longer is better; 0 none yet
    bool complete;
};

static bool better(const struct trial *a, const struct trial *b)
{
    return a->complete != b->complete ? a->complete : a->frames > b->frames;
}

bool unwind_rescue(struct process *p, struct regset *last, struct unwound *ret)
{
    if (!reg_known(last, REGNO_RSP) || ret->n == 0)
        return false;
    uint64_t function = start_of_function(&ret->frames[ret->n - 1]);
    uint64_t slot = last->value[REGNO_RSP] & ~7ull, end = slot + SCAN_BYTES;
    struct trial best = {.frames = 0};
    int start = ret->n, trials = 0;
    bool certain = false;
    for (; slot < end && trials < MAX_TRIALS && !certain && !mem_spent(p->mem); slot += 8) {
        struct candidate c;
        if (!make_candidate(p, last, slot, function, &c))
            continue;
        trials++;
        struct trial t = {.regs = c.regs};
        struct regset walk = c.regs;
        t.complete = unwind_from(p, &walk, false, FOUND_RESCUE, ret);
        t.frames = ret->n - start;
        ret->n = start;
        certain = c.certain && (t.complete || t.frames > 2);
        if (certain || better(&t, &best))
            best = t;
    }
    // One lone address that leads nowhere is no frame.
    if (best.frames < 2)
        return false;
    *last = best.regs;
    ret->complete = unwind_from(p, last, false, certain ? FOUND_CFI : FOUND_RESCUE, ret);
    return true;
}
