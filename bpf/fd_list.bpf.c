// The inventory: every open descriptor of one process, by an iterator that runs only when it is read.
// Nobody else's calls are touched.
#include "fd_kernel.h"

#include <bpf/bpf_helpers.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include "fd_records.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";

unsigned int wanted; // the process

static __always_inline void read_tcp(struct ls_fd_row *r, const struct sock *sk)
{
    const struct tcp_sock *tcp = (const struct tcp_sock *)sk;
    u32 now = (u32)r->jiffies;
    u32 received = now - BPF_CORE_READ(tcp, inet_conn.icsk_ack.lrcvtime);
    u32 sent = now - BPF_CORE_READ(tcp, lsndtime);
    r->idle_jiffies = received < sent ? received : sent;
    r->unread = BPF_CORE_READ(tcp, rcv_nxt) - BPF_CORE_READ(tcp, copied_seq);
}

static __always_inline void read_addresses(struct ls_fd_row *r, const struct sock *sk)
{
    r->local_port = BPF_CORE_READ(sk, __sk_common.skc_num);
    r->remote_port = __builtin_bswap16(BPF_CORE_READ(sk, __sk_common.skc_dport));
    if (r->family == AF_INET) {
        BPF_CORE_READ_INTO((u32 *)r->local, sk, __sk_common.skc_rcv_saddr);
        BPF_CORE_READ_INTO((u32 *)r->remote, sk, __sk_common.skc_daddr);
    } else if (bpf_core_field_exists(sk->__sk_common.skc_v6_daddr)) {
        BPF_CORE_READ_INTO((struct in6_addr *)r->local, sk, __sk_common.skc_v6_rcv_saddr);
        BPF_CORE_READ_INTO((struct in6_addr *)r->remote, sk, __sk_common.skc_v6_daddr);
    }
}

static __always_inline void read_socket(struct ls_fd_row *r, struct file *file)
{
    const struct socket *socket = BPF_CORE_READ(file, private_data);
    const struct sock *sk = BPF_CORE_READ(socket, sk);
    if (!sk)
        return;
    r->family = BPF_CORE_READ(sk, __sk_common.skc_family);
    r->state = BPF_CORE_READ(sk, __sk_common.skc_state);
    r->type = BPF_CORE_READ(socket, type);
    if (r->family != AF_INET && r->family != AF_INET6)
        return;
    r->protocol = BPF_CORE_READ(sk, sk_protocol);
    read_addresses(r, sk);
    if (r->protocol == IPPROTO_TCP)
        read_tcp(r, sk);
}

SEC("iter/task_file")
int list(struct bpf_iter__task_file *ctx)
{
    struct task_struct *task = ctx->task;
    struct file *file = ctx->file;
    if (!task || !file || (u32)task->tgid != wanted || task->pid != task->tgid)
        return 0;
    struct ls_fd_row r;
    __builtin_memset(&r, 0, sizeof(r));
    bpf_probe_read_kernel(&r.file, sizeof(r.file), &file);
    r.fd = ctx->fd;
    r.inode = file->f_inode->i_ino;
    r.mode = file->f_inode->i_mode;
    r.flags = file->f_flags;
    r.position = file->f_pos;
    r.jiffies = bpf_jiffies64();
    r.now_ns = bpf_ktime_get_ns();
    r.idle_jiffies = LS_FD_IDLE_UNKNOWN;
    const unsigned char *name = file->f_path.dentry->d_name.name;
    bpf_probe_read_kernel_str(r.name, sizeof(r.name), name);
    if ((r.mode & S_IFMT) == S_IFSOCK)
        read_socket(&r, file);
    bpf_seq_write(((struct bpf_iter_meta___seq *)ctx->meta)->seq, &r, sizeof(r));
    return 0;
}
