// The kernel types that the descriptors' programs look into; see kernel.h.
#ifndef LOOPSCOPE_BPF_FD_KERNEL_H
#define LOOPSCOPE_BPF_FD_KERNEL_H

#include "kernel.h"

#include <linux/in6.h>

#define S_IFMT   0170000
#define S_IFSOCK 0140000
#define AF_INET  2
#define AF_INET6 10

#define IPPROTO_TCP 6

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct fdtable {
    unsigned int max_fds;
    void **fd;
    unsigned long *open_fds;
};

struct files_struct {
    struct fdtable *fdt;
};

struct thread_struct {
    unsigned long fsbase;
};

struct task_struct___files {
    struct files_struct *files;
};

struct inode {
    unsigned short i_mode;
    unsigned long i_ino;
};

struct qstr {
    const unsigned char *name;
};

struct dentry {
    struct qstr d_name;
};

struct path {
    struct dentry *dentry;
};

struct file {
    struct path f_path;
    struct inode *f_inode;
    unsigned int f_flags;
    long long f_pos;
    void *private_data;
};

struct sock_common {
    unsigned short skc_family;
    volatile unsigned char skc_state;
    unsigned short skc_num, skc_dport;
    unsigned int skc_rcv_saddr, skc_daddr;
    struct in6_addr skc_v6_rcv_saddr, skc_v6_daddr;
};

struct sock {
    struct sock_common __sk_common;
    unsigned short sk_type, sk_protocol;
};

struct socket {
    short type;
    struct sock *sk;
};

struct inet_connection_sock {
    struct {
        unsigned int lrcvtime;
    } icsk_ack;
};

struct tcp_sock {
    struct inet_connection_sock inet_conn;
    unsigned int lsndtime, rcv_nxt, copied_seq;
};

struct bpf_iter__task_file {
    struct bpf_iter_meta *meta;
    struct task_struct *task;
    unsigned int fd;
    struct file *file;
};

struct bpf_iter_meta___seq {
    struct seq_file *seq;
};

#pragma clang attribute pop

#endif
