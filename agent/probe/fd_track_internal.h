// What the tracker's two files share.
#ifndef LOOPSCOPE_PROBE_FD_TRACK_INTERNAL_H
#define LOOPSCOPE_PROBE_FD_TRACK_INTERNAL_H

#include <bpf/libbpf.h>

#include "fd_track.h"
#include "fd_track.skel.h"

#define FD_TRACK_LINKS 40

struct fd_track {
    struct fd_track_bpf *skel;
    struct bpf_link *links[FD_TRACK_LINKS];
    int nlinks;
    struct ring_buffer *ring;
    struct ls_fd_slot *slots;    // mapped
    struct ls_fd_counts *counts; // mapped
    size_t slots_size, counts_size;
    int pid, descriptors;
    uint64_t passed_over; // events, when the tables were compared last
    enum fd_track_source source; // in use
    bool handles;                // libuv's are followed too
    fd_opening_cb cb;
    void *arg;
};

// fd_handles.c: uprobes in the libuv of the process. -ENOENT: none whose functions have names.
int fd_handles_attach(struct fd_track *t, int pid);

#endif
