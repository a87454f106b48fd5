// libdw decodes the tables and says by which expression each register of the caller is found; the
// expressions are evaluated here, over the captured registers and memory. (libdwfl has an evaluator
// too, but takes memory word by word through a process it wants to own, and knows nothing of code
// that V8 has mapped a second time.)
#include "cfi.h"

#include <dwarf.h>
#include <stdlib.h>

#define STACK_DEPTH 32
#define MAX_STEPS   256 // operations executed: branches may loop

struct eval {
    const struct regset *regs;
    struct mem *mem;
    uint64_t bias;
    Dwarf_Frame *frame; // NULL while the CFA itself is computed
    uint64_t stack[STACK_DEPTH];
    int depth;
    bool is_value; // the result is the value, not where it lies
    bool failed;
};

static void push(struct eval *e, uint64_t v)
{
    if (e->depth == STACK_DEPTH)
        e->failed = true;
    else
        e->stack[e->depth++] = v;
}

static uint64_t pop(struct eval *e)
{
    if (e->depth == 0) {
        e->failed = true;
        return 0;
    }
    return e->stack[--e->depth];
}

static uint64_t reg_value(struct eval *e, uint64_t n)
{
    if (n >= NREGS || !reg_known(e->regs, (int)n)) {
        e->failed = true;
        return 0;
    }
    return e->regs->value[n];
}

static uint64_t load(struct eval *e, uint64_t address, unsigned size)
{
    uint64_t v = 0;
    if (size == 0 || size > sizeof(v) || !mem_read(e->mem, address, &v, size))
        e->failed = true;
    return v;
}

static bool evaluate(struct eval *e, const Dwarf_Op *ops, size_t nops, uint64_t *ret);

static uint64_t frame_address(struct eval *e)
{
    Dwarf_Op *ops;
    size_t nops;
    uint64_t cfa = 0;
    struct eval inner = {.regs = e->regs, .mem = e->mem, .bias = e->bias};
    if (!e->frame || dwarf_frame_cfa(e->frame, &ops, &nops) != 0 ||
        !evaluate(&inner, ops, nops, &cfa))
        e->failed = true;
    return cfa;
}

static void binary(struct eval *e, uint8_t atom)
{
    uint64_t b = pop(e), a = pop(e), r = 0;
    int64_t sa = (int64_t)a, sb = (int64_t)b;
    switch (atom) {
    case DW_OP_and: r = a & b; break;
    case DW_OP_or: r = a | b; break;
    case DW_OP_xor: r = a ^ b; break;
    case DW_OP_plus: r = a + b; break;
    case DW_OP_minus: r = a - b; break;
    case DW_OP_mul: r = a * b; break;
    case DW_OP_div: r = b && !(b == UINT64_MAX) ? (uint64_t)(sa / sb) : 0 - a; break;
    case DW_OP_mod: r = b ? a % b : 0; break;
    case DW_OP_shl: r = b < 64 ? a << b : 0; break;
    case DW_OP_shr: r = b < 64 ? a >> b : 0; break;
    case DW_OP_shra: r = (uint64_t)(sa >> (b < 64 ? b : 63)); break;
    case DW_OP_le: r = sa <= sb; break;
    case DW_OP_ge: r = sa >= sb; break;
    case DW_OP_eq: r = sa == sb; break;
    case DW_OP_lt: r = sa < sb; break;
    case DW_OP_gt: r = sa > sb; break;
    case DW_OP_ne: r = sa != sb; break;
    }
    if (b == 0 && (atom == DW_OP_div || atom == DW_OP_mod))
        e->failed = true;
    push(e, r);
}

static void shuffle(struct eval *e, const Dwarf_Op *op)
{
    uint64_t a, b, c;
    switch (op->atom) {
    case DW_OP_dup:
        a = pop(e);
        push(e, a);
        push(e, a);
        break;
    case DW_OP_drop: pop(e); break;
    case DW_OP_over: // as pick 1
    case DW_OP_pick:
        a = op->atom == DW_OP_over ? 1 : op->number;
        if (a >= (uint64_t)e->depth)
            e->failed = true;
        else
            push(e, e->stack[e->depth - 1 - (int)a]);
        break;
    case DW_OP_swap:
        a = pop(e);
        b = pop(e);
        push(e, a);
        push(e, b);
        break;
    case DW_OP_rot:
        a = pop(e);
        b = pop(e);
        c = pop(e);
        push(e, a);
        push(e, c);
        push(e, b);
        break;
    }
}

// Branches name a byte offset; the operations carry theirs.
static bool jump(const Dwarf_Op *ops, size_t nops, size_t *at)
{
    Dwarf_Word target = ops[*at].offset + 3 + (Dwarf_Word)(int16_t)ops[*at].number;
    for (size_t i = 0; i < nops; i++)
        if (ops[i].offset == target) {
            *at = i;
            return true;
        }
    return false;
}

static void operate(struct eval *e, const Dwarf_Op *op)
{
    uint8_t atom = op->atom;
    if (atom >= DW_OP_lit0 && atom <= DW_OP_lit31)
        push(e, atom - DW_OP_lit0);
    else if (atom >= DW_OP_breg0 && atom <= DW_OP_breg31)
        push(e, reg_value(e, atom - DW_OP_breg0) + op->number);
    else if (atom >= DW_OP_reg0 && atom <= DW_OP_reg31) {
        push(e, reg_value(e, atom - DW_OP_reg0));
        e->is_value = true;
    } else
        switch (atom) {
        case DW_OP_addr: push(e, op->number + e->bias); break;
        case DW_OP_const1u:
        case DW_OP_const1s:
        case DW_OP_const2u:
        case DW_OP_const2s:
        case DW_OP_const4u:
        case DW_OP_const4s:
        case DW_OP_const8u:
        case DW_OP_const8s:
        case DW_OP_constu:
        case DW_OP_consts: push(e, op->number); break;
        case DW_OP_bregx: push(e, reg_value(e, op->number) + op->number2); break;
        case DW_OP_regx:
            push(e, reg_value(e, op->number));
            e->is_value = true;
            break;
        case DW_OP_deref: push(e, load(e, pop(e), 8)); break;
        case DW_OP_deref_size: push(e, load(e, pop(e), (unsigned)op->number)); break;
        case DW_OP_plus_uconst: push(e, pop(e) + op->number); break;
        case DW_OP_neg: push(e, 0 - pop(e)); break;
        case DW_OP_not: push(e, ~pop(e)); break;
        case DW_OP_abs: {
            int64_t v = (int64_t)pop(e);
            push(e, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
            break;
        }
        case DW_OP_call_frame_cfa: push(e, frame_address(e)); break;
        case DW_OP_stack_value: e->is_value = true; break;
        case DW_OP_nop: break;
        case DW_OP_dup:
        case DW_OP_drop:
        case DW_OP_over:
        case DW_OP_pick:
        case DW_OP_swap:
        case DW_OP_rot: shuffle(e, op); break;
        default:
            if ((atom >= DW_OP_and && atom <= DW_OP_xor) || (atom >= DW_OP_eq && atom <= DW_OP_ne))
                binary(e, atom);
            else
                e->failed = true;
        }
}

static bool evaluate(struct eval *e, const Dwarf_Op *ops, size_t nops, uint64_t *ret)
{
    int steps = 0;
    for (size_t i = 0; i < nops && !e->failed; i++) {
        if (++steps > MAX_STEPS)
            return false;
        if (ops[i].atom == DW_OP_skip || (ops[i].atom == DW_OP_bra && pop(e) != 0)) {
            if (!jump(ops, nops, &i))
                return false;
            i--; // wraps at 0, and comes back with the loop's increment
        } else if (ops[i].atom != DW_OP_bra) {
            operate(e, &ops[i]);
        }
    }
    *ret = pop(e);
    return !e->failed;
}

static bool register_of_caller(Dwarf_Frame *frame, int n, uint64_t bias, struct mem *m,
                               const struct regset *in, struct regset *out, bool *undefined)
{
    Dwarf_Op own[3], *ops;
    size_t nops;
    *undefined = false;
    if (dwarf_frame_register(frame, n, own, &ops, &nops) != 0)
        return false;
    if (nops == 0 && ops) {
        *undefined = true;
        return true;
    }
    if (nops == 0) { // the frame did not touch it
        if (reg_known(in, n))
            reg_set(out, n, in->value[n]);
        return true;
    }
    struct eval e = {.regs = in, .mem = m, .bias = bias, .frame = frame};
    uint64_t v;
    if (!evaluate(&e, ops, nops, &v) || (!e.is_value && !mem_u64(m, v, &v)))
        return false;
    reg_set(out, n, v);
    return true;
}

static enum cfi_result step_frame(Dwarf_Frame *frame, uint64_t bias, struct mem *m,
                                  const struct regset *in, struct regset *out)
{
    Dwarf_Op *ops;
    size_t nops;
    uint64_t cfa;
    struct eval e = {.regs = in, .mem = m, .bias = bias};
    bool undefined;
    *out = (struct regset){0};
    if (dwarf_frame_cfa(frame, &ops, &nops) != 0)
        return CFI_FAILED;
    bool has_cfa = nops > 0 && evaluate(&e, ops, nops, &cfa);
    if (!register_of_caller(frame, REGNO_RIP, bias, m, in, out, &undefined))
        return CFI_FAILED;
    if (undefined)
        return CFI_END;
    if (!has_cfa || !reg_known(out, REGNO_RIP))
        return CFI_FAILED;
    for (int n = 0; n < REGNO_RIP; n++)
        register_of_caller(frame, n, bias, m, in, out, &undefined);
    // Signal trampolines say where the old stack pointer lies; everywhere else it is the CFA.
    if (!reg_known(out, REGNO_RSP))
        reg_set(out, REGNO_RSP, cfa);
    return CFI_STEPPED;
}

enum cfi_result cfi_step(Dwarf_CFI *cfi, uint64_t address, uint64_t bias, struct mem *m,
                         const struct regset *in, struct regset *out, bool *signal)
{
    Dwarf_Frame *frame;
    Dwarf_Addr start, end;
    *signal = false;
    if (!cfi || dwarf_cfi_addrframe(cfi, address, &frame) != 0)
        return CFI_NONE;
    if (dwarf_frame_info(frame, &start, &end, signal) != REGNO_RIP) {
        free(frame);
        return CFI_NONE;
    }
    enum cfi_result result = step_frame(frame, bias, m, in, out);
    free(frame);
    return result;
}
