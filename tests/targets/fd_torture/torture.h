// Makes and ends descriptors in every way there is, from several threads that close and replace each other's. A
// tracker's table must stay equal to the kernel's.
//
// A way is a function that makes or ends some; the files of ways_*.c hold them by what they have in common. What a
// way makes and does not end itself it notes with keep(), so that the thread closes it some time. Threads note only
// their own, but close_range(2) and dup2(2) hit those of others: that a call fails is part of the game.
#ifndef LOOPSCOPE_TESTS_TORTURE_H
#define LOOPSCOPE_TESTS_TORTURE_H

#include <stdbool.h>

struct way {
    const char *name;
    int (*go)(void); // negative: it did not succeed
};

// Ends with a way without a name.
extern const struct way file_ways[], socket_ways[], duplicate_ways[], anonymous_ways[],
    mount_ways[], uring_ways[], passing_ways[], process_ways[];

unsigned chance(unsigned below); // 0 .. below - 1, of this thread
bool coin(void);

int keep(int fd);               // notes it unless it is negative; gives it back
int keep_two(int ok, int *fds); // both, if ok is 0
int any_kept(void);             // -1: none
int take_kept(void);            // and it is no longer noted
int kept_count(void);
bool is_kept(int fd);
void forget_kept(int from, int to); // they are closed

bool is_ring(int fd);   // this thread's io_uring, which must stay
bool has_threads(void); // more than one

#endif
