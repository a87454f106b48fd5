#ifndef TESTS_TARGET_FAKES_THREADS_H
#define TESTS_TARGET_FAKES_THREADS_H

#include "agent/probe/thread_checks.h"

extern struct fake_checks {
    bool open, refused, run_again; // run_again: the loop has been entered anew
    thread_call_cb cb;
    void *arg;
} fake_checks;

#endif
