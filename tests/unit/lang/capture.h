// Registers and stack of a thread of a live process, for tests: two perf events (task clock,
// context switches) with user registers and stack. What a test sees is therefore what the kernel
// copied at one moment, as in the product, and the target is not stopped.
#ifndef LOOPSCOPE_TEST_CAPTURE_H
#define LOOPSCOPE_TEST_CAPTURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct capture; // watches one thread

struct sample {
    uint64_t regs[17]; // DWARF's numbers: rax rdx rcx rbx rsi rdi rbp rsp r8..r15 rip
    uint64_t stack_base;
    size_t stack_len;
    bool on_cpu;
    uint8_t stack[32 * 1024];
};

struct capture *capture_open(int tid); // NULL with errno: not permitted
void capture_close(struct capture *c);
// The newest sample: waits for a tick while the thread runs; a thread that sleeps is where it went
// to sleep. false: nothing seen within the time.
bool capture_take(struct capture *c, struct sample *ret, int timeout_ms);

#endif
