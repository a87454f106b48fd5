// What the kernel side and user space share: plain fixed-size records, no pointers.
// Included by *.bpf.c and by agent/. Times are CLOCK_MONOTONIC nanoseconds.
#ifndef LOOPSCOPE_RECORDS_H
#define LOOPSCOPE_RECORDS_H

// The user registers of a thread, in the order of x86-64's struct pt_regs.
struct ls_regs {
    unsigned long long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax,
        ip, cs, flags, sp, ss;
};

#endif
