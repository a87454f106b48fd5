// The two sources of an inventory.
#ifndef LOOPSCOPE_PROBE_FDS_INTERNAL_H
#define LOOPSCOPE_PROBE_FDS_INTERNAL_H

#include "fds.h"

struct fds_bpf;

struct fds {
    struct fds_bpf *bpf; // NULL: by /proc
    struct fd_row *rows;
    int nrows, capacity;
};

struct fd_row *fds_add(struct fds *f); // a cleared row; NULL out of memory

int fds_bpf_open(struct fds_bpf **ret);
void fds_bpf_close(struct fds_bpf *b);
int fds_bpf_list(struct fds_bpf *b, struct fds *f, int pid);

int fds_proc_list(struct fds *f, int pid);

// The kind of an anonymous inode by its name without brackets: "eventfd", "eventpoll", ...
enum fd_kind fd_kind_of_anon(const char *name);

#endif
