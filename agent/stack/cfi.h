// One step of unwinding by call frame information: a frame's registers in, its caller's out.
#ifndef LOOPSCOPE_STACK_CFI_H
#define LOOPSCOPE_STACK_CFI_H

#include <elfutils/libdw.h>
#include <stdbool.h>
#include <stdint.h>

#include "mem.h"

// DWARF's numbers of x86-64's registers.
enum { REGNO_RBX = 3, REGNO_RBP = 6, REGNO_RSP = 7, REGNO_R12 = 12, REGNO_RIP = 16, NREGS = 17 };

struct regset {
    uint64_t value[NREGS];
    uint32_t known; // bit a register
};

static inline bool reg_known(const struct regset *r, int n)
{
    return r->known >> n & 1;
}

static inline void reg_set(struct regset *r, int n, uint64_t value)
{
    r->value[n] = value;
    r->known |= 1u << n;
}

enum cfi_result {
    CFI_STEPPED,
    CFI_END,    // the return address is undefined: this is the outermost frame
    CFI_NONE,   // no information for this address
    CFI_FAILED, // information, but memory or registers it needs are not to be had
};

// address is in the file's address space, bias is what to add to get the process's. *signal: the
// frame is a signal trampoline, so that the caller's pc is exact.
enum cfi_result cfi_step(Dwarf_CFI *cfi, uint64_t address, uint64_t bias, struct mem *m,
                         const struct regset *in, struct regset *out, bool *signal);

#endif
