// A live target for the walkers' tests: a child process that says where it blocks (see stalls.py).
#ifndef LOOPSCOPE_TEST_LIVE_H
#define LOOPSCOPE_TEST_LIVE_H

#include "native.h"

struct live {
    int pid;
    int in, out; // its standard input and output
    struct capture *capture;
    struct native *native;
    const struct lang *lang;
    void *self;
    char note[160], version[32];
    char function[64]; // where it blocks, by its own account
    int first_line, last_line;
    struct sample sample;
    const struct native_frame *frames;
    int nframes;
    struct lang_result result;
};

// argv as for exec; the child must print READY. false: it could not be started, or not be watched.
bool live_start(struct live *l, const char *const argv[]);
// Attaches the walker of that name; false: it did not take the process.
bool live_attach(struct live *l, const char *lang);
// Lets the child block, reads its account, captures and walks.
bool live_stall(struct live *l);
void live_walk(struct live *l); // captures and walks once more
void live_tasks(struct live *l, bool gc_walk, int max_rows, struct tasks_answer *ret);
void live_stop(struct live *l);
bool live_read_line(struct live *l, char *buf, size_t n);

// The innermost frame that is the program's; NULL none.
const struct frame *live_culprit(const struct live *l);
void live_print(const struct live *l);

#endif
