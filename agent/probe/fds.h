// The open descriptors of a process: what they are, in which state, for how long idle.
//
// An inventory costs the target and everybody else nothing: it is read by an iterator in the kernel, or
// where that does not load from /proc (dearer for us, and with less to tell). Openers are followed by a
// tracker (fd_track.h), which is another matter.
//
// Threads: main thread only. Ownership: rows belong to the inventory and live until its next list or close.
#ifndef LOOPSCOPE_PROBE_FDS_H
#define LOOPSCOPE_PROBE_FDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../../bpf/fd_records.h"
#include "../error.h"

enum fd_kind {
    FD_OTHER, // an anonymous inode of another kind, a device
    FD_FILE,
    FD_DIRECTORY,
    FD_PIPE,
    FD_TERMINAL,
    FD_DEVICE,
    FD_TCP,
    FD_LISTENER, // TCP
    FD_UDP,
    FD_UNIX,
    FD_NETLINK,
    FD_SOCKET, // of another family
    FD_EPOLL,
    FD_EVENTFD,
    FD_TIMERFD,
    FD_SIGNALFD,
    FD_INOTIFY,
    FD_IO_URING,
    FD_PIDFD,
    FD_KINDS,
};

#define FD_UNKNOWN INT64_MIN

struct fd_row {
    int fd;
    enum fd_kind kind;
    uint64_t file;  // identity of the open file within the kernel's life; 0 not known
    uint64_t inode; // of another identity: 0 not known
    int64_t position;
    int64_t idle_ns;   // since it was last used; FD_UNKNOWN (only TCP tells)
    int64_t unread;    // bytes received and not read; FD_UNKNOWN
    int family, state; // of sockets: AF_*, TCP_*; 0
    int local_port, remote_port;
    uint8_t local[16], remote[16];
    char name[LS_FD_NAME]; // last part of a path; "" none
};

struct fds;

// proc: do not try the kernel's iterator. -errno, *err filled.
int fds_open(struct fds **ret, bool proc, struct error *err);
void fds_close(struct fds *f);         // NULL is fine
const char *fds_source(struct fds *f); // "iterator", "/proc"
// All descriptors of the process, by rising number. Returns how many, or -errno.
int fds_list(struct fds *f, int pid, const struct fd_row **rows);

const char *fd_kind_name(enum fd_kind kind); // "tcp", "file", ...
bool fd_is_socket(enum fd_kind kind);
const char *fd_state_name(const struct fd_row *row); // "CLOSE_WAIT"; NULL none
// "127.0.0.1:80" of a TCP or UDP socket; "" when it has none. Returns buf.
const char *fd_address(const struct fd_row *row, bool remote, char *buf, size_t size);

#endif
