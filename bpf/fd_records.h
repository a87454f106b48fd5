// Descriptors: what the kernel side and user space share. Times are CLOCK_MONOTONIC nanoseconds.
#ifndef LOOPSCOPE_FD_RECORDS_H
#define LOOPSCOPE_FD_RECORDS_H

enum { LS_FD_NAME = 32, LS_FD_IDLE_UNKNOWN = 0xffffffffu };

// One open descriptor, as the inventory's iterator finds it.
struct ls_fd_row {
    unsigned long long file, inode, position; // file: the kernel's address, an identity and no more
    unsigned long long jiffies, now_ns;
    unsigned int fd, mode, flags;
    unsigned int idle_jiffies; // of TCP, since it last sent or received
    unsigned int unread;       // bytes received and not read, of TCP
    unsigned short family, type, protocol, state;
    unsigned short local_port, remote_port;
    unsigned char local[16], remote[16]; // IPv4 in the first four
    char name[LS_FD_NAME];               // of the directory entry: a file's name, "[eventfd]"
};

#endif
