// What tasks wait for in the world outside: streams, files, names, child processes, signals. Comes with loopscope.h, whose
// rules hold here, too.
#ifndef LOOPSCOPE_IO_H
#define LOOPSCOPE_IO_H

#include <loopscope/loopscope.h>

#ifdef __cplusplus
extern "C" {
#endif

struct addrinfo;
struct iovec;
struct stat;

// ---- Streams: TCP, Unix sockets, pipes ----
//
// A stream or listener belongs to the task that opened it and is closed with it; _adopt hands it to
// the calling task, ls_stream_disown to nobody (then the program closes it). One reader and one
// writer at a time: a second gets -EBUSY. When it is closed under a waiting task, that task gets
// -EBADF. Reads are kept armed between calls, writes are tried at once. Errors of the peer are as
// in read(2) and write(2): -ECONNRESET, -EPIPE, ...
typedef struct ls_stream ls_stream;
typedef struct ls_listener ls_listener;

#define ls_tcp_connect(ret, host, port, timeout_ns)                                                \
    ls_tcp_connect_at(LS_HERE, ret, host, port, timeout_ns)
// Awaits. Resolves host (name or address) and tries its addresses in turn.
LS_API int ls_tcp_connect_at(struct ls_site *site, ls_stream **ret, const char *host, uint16_t port,
                             int64_t timeout_ns);
// Awaits. path may start with '@': a name in the abstract namespace.
#define ls_unix_connect(ret, path, timeout_ns) ls_unix_connect_at(LS_HERE, ret, path, timeout_ns)
LS_API int ls_unix_connect_at(struct ls_site *site, ls_stream **ret, const char *path,
                              int64_t timeout_ns);
// host NULL: all addresses. port 0: any, see ls_listener_port. backlog 0: 511.
#define ls_tcp_listen(ret, host, port, backlog) ls_tcp_listen_at(LS_HERE, ret, host, port, backlog)
LS_API int ls_tcp_listen_at(struct ls_site *site, ls_listener **ret, const char *host,
                            uint16_t port, int backlog);
// Unlinks path when closed.
#define ls_unix_listen(ret, path, backlog) ls_unix_listen_at(LS_HERE, ret, path, backlog)
LS_API int ls_unix_listen_at(struct ls_site *site, ls_listener **ret, const char *path,
                             int backlog);
LS_API int ls_listener_port(const ls_listener *listener); // negative errno: not TCP
#define ls_accept(listener, ret, timeout_ns) ls_accept_at(LS_HERE, listener, ret, timeout_ns)
LS_API int ls_accept_at(struct ls_site *site, ls_listener *listener, ls_stream **ret,
                        int64_t timeout_ns); // awaits
// NULL is fine
#define ls_listener_close(listener) ls_listener_close_at(LS_HERE, listener)
LS_API void ls_listener_close_at(struct ls_site *site, ls_listener *listener);
// Takes fd over: a socket, pipe or terminal. On error fd stays the caller's.
#define ls_stream_from_fd(ret, fd) ls_stream_from_fd_at(LS_HERE, ret, fd)
LS_API int ls_stream_from_fd_at(struct ls_site *site, ls_stream **ret, int fd);
// A connected pair of Unix sockets.
#define ls_stream_pair(ends) ls_stream_pair_at(LS_HERE, ends)
LS_API int ls_stream_pair_at(struct ls_site *site, ls_stream *ends[2]);

// Awaits. Bytes read (at least 1, at most size), 0 at the end, or negative errno.
#define ls_read(stream, buffer, size, timeout_ns)                                                  \
    ls_read_at(LS_HERE, stream, buffer, size, timeout_ns)
LS_API ssize_t ls_read_at(struct ls_site *site, ls_stream *stream, void *buffer, size_t size,
                          int64_t timeout_ns);
// Awaits. All size bytes: 0; -ENODATA when the stream ends before (what came is lost).
#define ls_read_exact(stream, buffer, size, timeout_ns)                                            \
    ls_read_exact_at(LS_HERE, stream, buffer, size, timeout_ns)
LS_API int ls_read_exact_at(struct ls_site *site, ls_stream *stream, void *buffer, size_t size,
                            int64_t timeout_ns);
// Awaits. Up to and including delimiter; the length without NUL, which is added. -EMSGSIZE when it
// does not fit in size; 0 at the end (bytes without delimiter are returned first).
#define ls_read_until(stream, buffer, size, delimiter, timeout_ns)                                 \
    ls_read_until_at(LS_HERE, stream, buffer, size, delimiter, timeout_ns)
LS_API ssize_t ls_read_until_at(struct ls_site *site, ls_stream *stream, char *buffer, size_t size,
                                char delimiter, int64_t timeout_ns);
// Awaits. Writes everything: 0, or negative errno (how much was written is then unknown).
#define ls_write(stream, data, size, timeout_ns)                                                   \
    ls_write_at(LS_HERE, stream, data, size, timeout_ns)
#define ls_writev(stream, iov, n, timeout_ns) ls_writev_at(LS_HERE, stream, iov, n, timeout_ns)
LS_API int ls_write_at(struct ls_site *site, ls_stream *stream, const void *data, size_t size,
                       int64_t timeout_ns);
LS_API int ls_writev_at(struct ls_site *site, ls_stream *stream, const struct iovec *iov, int n,
                        int64_t timeout_ns);
#define ls_shutdown(stream, timeout_ns) ls_shutdown_at(LS_HERE, stream, timeout_ns)
LS_API int ls_shutdown_at(struct ls_site *site, ls_stream *stream,
                          int64_t timeout_ns); // awaits; ends our direction
// At once; NULL is fine. The pointer is dead afterwards.
#define ls_close(stream) ls_close_at(LS_HERE, stream)
LS_API void ls_close_at(struct ls_site *site, ls_stream *stream);
#define ls_stream_adopt(stream) ls_stream_adopt_at(LS_HERE, stream)
LS_API int ls_stream_adopt_at(struct ls_site *site, ls_stream *stream);
#define ls_stream_disown(stream) ls_stream_disown_at(LS_HERE, stream)
LS_API int ls_stream_disown_at(struct ls_site *site, ls_stream *stream);
#define ls_listener_adopt(listener) ls_listener_adopt_at(LS_HERE, listener)
LS_API int ls_listener_adopt_at(struct ls_site *site, ls_listener *listener);
LS_API int ls_stream_fd(const ls_stream *stream);         // stays the stream's: not to be closed
LS_API int ls_stream_nodelay(ls_stream *stream, bool on); // TCP
// "127.0.0.1:80", "[::1]:80", "unix:/run/x"; NUL-terminated, cut at size.
LS_API int ls_stream_peer(const ls_stream *stream, char *text, size_t size);

// Awaits. Waits until fd is readable (LS_READABLE) or writable (LS_WRITABLE): the events, or
// negative errno.
enum { LS_READABLE = 1, LS_WRITABLE = 2 };
#define ls_poll_fd(fd, events, timeout_ns) ls_poll_fd_at(LS_HERE, fd, events, timeout_ns)
LS_API int ls_poll_fd_at(struct ls_site *site, int fd, int events, int64_t timeout_ns);

// ---- Files ----
//
// On the thread pool. Descriptors are plain ints, owned by the task that opened them; ls_file_close
// or the end of the task closes them. An operation interrupted while it runs on the pool is waited
// for (its buffer is the caller's).
#define ls_file_open(path, flags, mode, timeout_ns)                                                \
    ls_file_open_at(LS_HERE, path, flags, mode, timeout_ns)
LS_API int ls_file_open_at(struct ls_site *site, const char *path, int flags, int mode,
                           int64_t timeout_ns); // awaits; O_CLOEXEC is added
#define ls_file_close(fd) ls_file_close_at(LS_HERE, fd)
LS_API int ls_file_close_at(struct ls_site *site, int fd); // awaits; closes also when interrupted
// Awaits. offset -1: the file's own position.
#define ls_file_read(fd, buffer, size, offset, timeout_ns)                                         \
    ls_file_read_at(LS_HERE, fd, buffer, size, offset, timeout_ns)
#define ls_file_write(fd, data, size, offset, timeout_ns)                                          \
    ls_file_write_at(LS_HERE, fd, data, size, offset, timeout_ns)
LS_API ssize_t ls_file_read_at(struct ls_site *site, int fd, void *buffer, size_t size,
                               int64_t offset, int64_t timeout_ns);
LS_API ssize_t ls_file_write_at(struct ls_site *site, int fd, const void *data, size_t size,
                                int64_t offset, int64_t timeout_ns); // all of it
#define ls_file_sync(fd, timeout_ns)         ls_file_sync_at(LS_HERE, fd, timeout_ns)
#define ls_file_stat(path, ret, timeout_ns)  ls_file_stat_at(LS_HERE, path, ret, timeout_ns)
#define ls_file_unlink(path, timeout_ns)     ls_file_unlink_at(LS_HERE, path, timeout_ns)
#define ls_file_rename(from, to, timeout_ns) ls_file_rename_at(LS_HERE, from, to, timeout_ns)
LS_API int ls_file_sync_at(struct ls_site *site, int fd, int64_t timeout_ns); // awaits
LS_API int ls_file_stat_at(struct ls_site *site, const char *path, struct stat *ret,
                           int64_t timeout_ns);                                           // awaits
LS_API int ls_file_unlink_at(struct ls_site *site, const char *path, int64_t timeout_ns); // awaits
LS_API int ls_file_rename_at(struct ls_site *site, const char *from, const char *to,
                             int64_t timeout_ns); // awaits
// Awaits. The whole file, NUL-terminated, in *ret (from ls_alloc: freed with the calling task's
// scope); its size, -EFBIG above max.
#define ls_file_slurp(path, ret, max, timeout_ns)                                                  \
    ls_file_slurp_at(LS_HERE, path, ret, max, timeout_ns)
LS_API ssize_t ls_file_slurp_at(struct ls_site *site, const char *path, char **ret, size_t max,
                                int64_t timeout_ns);

// ---- DNS ----

// Awaits. getaddrinfo on the pool; interrupted, it runs on there and its answer is dropped. *ret is
// freed by ls_addrinfo_free, or with the calling task's scope. -ENOENT no such name, -EAGAIN the server did not answer. service and hints may be NULL.
#define ls_resolve(host, service, hints, ret, timeout_ns)                                          \
    ls_resolve_at(LS_HERE, host, service, hints, ret, timeout_ns)
LS_API int ls_resolve_at(struct ls_site *site, const char *host, const char *service,
                         const struct addrinfo *hints, struct addrinfo **ret, int64_t timeout_ns);
LS_API void ls_addrinfo_free(struct addrinfo *list); // NULL is fine

// ---- Child processes ----
//
// Belongs to the task that started it: when that ends first, the child gets SIGTERM, SIGKILL after
// 2 s, and is reaped. The program leaves SIGCHLD to libuv; when it reaps the child itself (wait(2)
// for any), the status is -ECHILD.
typedef struct ls_process ls_process;

enum ls_stdio { LS_STDIO_NULL = 0, LS_STDIO_INHERIT = 1, LS_STDIO_PIPE = 2 };
struct ls_process_options {
    const char *const *argv; // NULL-terminated; argv[0] is looked up in the child's PATH
    const char *const *env;  // "K=V", NULL-terminated; NULL: as ours
    const char *cwd;         // NULL: ours
    enum ls_stdio in, out, err;
    uint64_t reserved[4];
};
// 0, or negative errno, also those of exec(2): -ENOENT, -EACCES. Returns when the program has been
// executed; takes as long with many tasks as with few. Signals are at their defaults in the child,
// and what is not O_CLOEXEC stays open there.
#define ls_process_start(ret, ...) ls_process_start_at(LS_HERE, ret, __VA_ARGS__)
LS_API int ls_process_start_at(struct ls_site *site, ls_process **ret,
                               const struct ls_process_options *options);
// Our end of a pipe (0 stdin, 1 stdout, 2 stderr); owned by the process object, which closes it.
// NULL: no pipe.
LS_API ls_stream *ls_process_stream(ls_process *process, int which);
LS_API int ls_process_pid(const ls_process *process);
// -ESRCH when it has ended
#define ls_process_kill(process, signal) ls_process_kill_at(LS_HERE, process, signal)
LS_API int ls_process_kill_at(struct ls_site *site, ls_process *process, int signal);
// Awaits. Exit status, or 128 + signal; the child is reaped. May be called again.
#define ls_process_wait(process, timeout_ns) ls_process_wait_at(LS_HERE, process, timeout_ns)
LS_API int ls_process_wait_at(struct ls_site *site, ls_process *process, int64_t timeout_ns);
// As the end of its task does; NULL is fine.
#define ls_process_free(process) ls_process_free_at(LS_HERE, process)
LS_API void ls_process_free_at(struct ls_site *site, ls_process *process);

// ---- Signals ----
//
// Belongs to the task that opened it. Signals that come between two waits are counted, not lost
// (like ones merge).
typedef struct ls_signal ls_signal;
#define ls_signal_open(ret, ...) ls_signal_open_at(LS_HERE, ret, __VA_ARGS__) // signals, n
LS_API int ls_signal_open_at(struct ls_site *site, ls_signal **ret, const int *signals, size_t n);
#define ls_signal_wait(signal, timeout_ns) ls_signal_wait_at(LS_HERE, signal, timeout_ns)
LS_API int ls_signal_wait_at(struct ls_site *site, ls_signal *signal,
                             int64_t timeout_ns); // awaits; the number
// NULL is fine
#define ls_signal_close(signal) ls_signal_close_at(LS_HERE, signal)
LS_API void ls_signal_close_at(struct ls_site *site, ls_signal *signal);

#ifdef __cplusplus
}
#endif

#endif
