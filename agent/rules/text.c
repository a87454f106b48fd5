#include <math.h>
#include <stdio.h>
#include <string.h>

#include "engine.h"

const char *text_ns(int64_t ns, char *buf, size_t size)
{
    double v = (double)ns;
    if (v < 1e3)
        snprintf(buf, size, "%lld ns", (long long)ns);
    else if (v < 1e6)
        snprintf(buf, size, "%.0f us", v / 1e3);
    else if (v < 9.95e6)
        snprintf(buf, size, "%.1f ms", v / 1e6);
    else if (v < 999.5e6)
        snprintf(buf, size, "%.0f ms", v / 1e6);
    else if (v < 99.95e9)
        snprintf(buf, size, "%.1f s", v / 1e9);
    else
        snprintf(buf, size, "%.0f s", v / 1e9);
    return buf;
}

static const struct frame *culprit_of(const struct stack *s)
{
    return s && s->culprit >= 0 && s->culprit < s->nframes ? &s->frames[s->culprit] : NULL;
}

static const char *base_name(const char *path)
{
    const char *slash = path ? strrchr(path, '/') : NULL;
    return slash && slash[1] ? slash + 1 : path;
}

const char *text_culprit(const struct stack *s, char *buf, size_t size)
{
    const struct frame *f = culprit_of(s);
    buf[0] = '\0';
    if (!f)
        return buf;
    struct frame shown = *f;
    shown.file = base_name(f->file);
    return frame_text(&shown, buf, (int)size);
}

// What makes two stalls the same one's: the function, not the line it happened to be at. Without a name only
// the module is sure: in a stripped program two offsets may be one function.
const char *text_culprit_key(const struct stack *s, char *buf, size_t size)
{
    const struct frame *f = culprit_of(s);
    if (!f)
        buf[0] = '\0';
    else
        snprintf(buf, size, "%s|%s", f->function ? f->function : "?",
                 f->file     ? f->file
                 : f->module ? f->module
                             : "?");
    return buf;
}

// "read from X", "write to X", "fsync of X".
static const char *preposition(const char *syscall)
{
    static const char *const to[] = {"write", "send", "connect", "pwrite"};
    static const char *const from[] = {"read", "recv", "pread", "accept", "getdents"};
    static const char *const for_[] = {"wait",    "epoll", "poll",  "ppoll",   "select",
                                       "pselect", "vfork", "futex", "io_uring"};
    for (size_t i = 0; i < sizeof(to) / sizeof(*to); i++)
        if (strncmp(syscall, to[i], strlen(to[i])) == 0)
            return "to";
    for (size_t i = 0; i < sizeof(from) / sizeof(*from); i++)
        if (strncmp(syscall, from[i], strlen(from[i])) == 0)
            return strcmp(syscall, "readlink") == 0 ? "of" : "from";
    for (size_t i = 0; i < sizeof(for_) / sizeof(*for_); i++)
        if (strncmp(syscall, for_[i], strlen(for_[i])) == 0)
            return "for";
    return "of";
}

const char *text_on_what(const struct cause *c, char *buf, size_t size)
{
    const char *call = c->syscall ? c->syscall : "a system call";
    char path[200] = "";
    if (c->path && strncmp(c->path, "socket:", 7) != 0 && strncmp(c->path, "anon_inode:", 11) != 0)
        snprintf(path, sizeof(path), "%s", c->path);
    const char *p = preposition(call);
    if (c->peer && path[0])
        snprintf(buf, size, "%s %s %s (%s)", call, p, path, c->peer);
    else if (c->peer || path[0])
        snprintf(buf, size, "%s %s %s", call, p, c->peer ? c->peer : path);
    else if (c->fd != SNAP_UNKNOWN)
        snprintf(buf, size, "%s %s fd %lld", call, p, (long long)c->fd);
    else
        snprintf(buf, size, "%s", call);
    return buf;
}

static void lock_words(const struct cause *c, char *buf, size_t size)
{
    char holder[CULPRIT_TEXT] = "", path[220] = "";
    const char *lock = c->lock ? c->lock : "a lock";
    text_culprit(c->holder_stack, holder, sizeof(holder));
    if (c->path)
        snprintf(path, sizeof(path), " on %s", c->path);
    if (c->peer)
        snprintf(buf, size, "waiting for %s%s, held by %s", lock, path, c->peer);
    else if (c->holder_tid != SNAP_UNKNOWN && holder[0])
        snprintf(buf, size, "waiting for %s%s, held by thread %lld in %s", lock, path,
                 (long long)c->holder_tid, holder);
    else if (c->holder_tid != SNAP_UNKNOWN && strncmp(lock, "the end of", 10) != 0)
        snprintf(buf, size, "waiting for %s%s, held by thread %lld", lock, path,
                 (long long)c->holder_tid);
    else
        snprintf(buf, size, "waiting for %s%s", lock, path);
}

static bool is_sleep(const struct cause *c)
{
    return c->syscall &&
           (strcmp(c->syscall, "nanosleep") == 0 || strcmp(c->syscall, "clock_nanosleep") == 0);
}

const char *text_doing(const struct cause *c, const struct stack *s, char *buf, size_t size)
{
    char words[700], culprit[CULPRIT_TEXT], by[CULPRIT_TEXT + 8] = "";
    switch (c->kind) {
    case CAUSE_CPU_USER: snprintf(words, sizeof(words), "computing"); break;
    case CAUSE_CPU_KERNEL:
        snprintf(words, sizeof(words),
                 c->syscall ? "on the CPU inside %s" : "on the CPU inside the kernel%s",
                 c->syscall ? c->syscall : "");
        break;
    case CAUSE_SYSCALL: {
        char what[600];
        snprintf(words, sizeof(words), "%s %s", is_sleep(c) ? "asleep in" : "in",
                 text_on_what(c, what, sizeof(what)));
        break;
    }
    case CAUSE_LOCK: lock_words(c, words, sizeof(words)); break;
    case CAUSE_RUNQUEUE: snprintf(words, sizeof(words), "runnable, waiting for a CPU"); break;
    case CAUSE_PAGE_FAULT: snprintf(words, sizeof(words), "in a page fault"); break;
    case CAUSE_GC: snprintf(words, sizeof(words), "collecting garbage"); break;
    case CAUSE_STOPPED:
        snprintf(words, sizeof(words), "stopped (SIGSTOP, a debugger or the freezer)");
        break;
    default: snprintf(words, sizeof(words), "cause unknown"); break;
    }
    text_culprit(s, culprit, sizeof(culprit));
    if (culprit[0] && c->kind != CAUSE_RUNQUEUE && c->kind != CAUSE_STOPPED)
        snprintf(by, sizeof(by), "%s %s",
                 c->kind == CAUSE_CPU_USER ? " in"
                 : c->kind == CAUSE_LOCK   ? ", in" // "held by X by Y" reads badly
                                           : " by",
                 culprit);
    snprintf(buf, size, "%s%s", words, by);
    return buf;
}

const char *text_process(const struct snap *now, int pid)
{
    const struct snap_process *p = snap_process_of(now, pid);
    return p && p->name ? p->name : "?";
}

const char *text_subject(struct snap *box, const struct snap *now, int pid, int tid)
{
    const char *name = text_process(now, pid);
    if (pid == 0)
        return snap_strdup(box, "loopscope");
    if (tid == 0)
        return snap_printf(box, "process %d (%s)", pid, name);
    return tid == pid ? snap_printf(box, "loop of %d (%s)", pid, name)
                      : snap_printf(box, "loop of thread %d in %d (%s)", tid, pid, name);
}

// What to run to see whether the cure worked: the target as it was asked for, where a pid would be stale.
const char *text_verify(struct snap *box, const struct snap *now, int pid)
{
    char threshold[112] = "", text[24];
    if (now->threshold_ns != 100 * MS) {
        snprintf(text, sizeof(text), "%gms", (double)now->threshold_ns / 1e6);
        snprintf(threshold, sizeof(threshold), " --threshold %s", text);
    }
    char scale[64] = "";
    if (now->time_scale > 0 && now->time_scale != 1)
        snprintf(scale, sizeof(scale), " --time-scale %g", now->time_scale);
    snprintf(threshold + strlen(threshold), sizeof(threshold) - strlen(threshold), "%s", scale);
    const char *source = now->source;
    if (source && strncmp(source, "-- ", 3) == 0)
        return snap_printf(box, "loopscope check --for 30s%s %s", threshold, source);
    if (source && strncmp(source, "--", 2) == 0)
        return snap_printf(box, "loopscope check %s --for 30s%s", source, threshold);
    if (pid == 0)
        return snap_printf(box, "loopscope check %s --for 90s%s", source ? source : "PID",
                           threshold);
    return snap_printf(box, "loopscope check %d --for 30s%s", pid, threshold);
}
