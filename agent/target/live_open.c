// Where a table is found and how it is read: by its file where the program's descriptor of it can be opened, which
// costs the program nothing at all, else through its memory. What the descriptor names is looked at before it is
// opened: a hostile program may have put anything there.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "live.h"
#include "procfs.h"

#define TABLES_MAX 4 // of one process
#define LINE_MAX_  1024

static ssize_t read_file(void *arg, uint64_t offset, void *buf, size_t size)
{
    const struct live *l = arg;
    size_t done = 0;
    while (done < size) {
        ssize_t n = pread(l->fd, (char *)buf + done, size - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return -1;
        done += (size_t)n;
    }
    return (ssize_t)done;
}

static bool read_memory(void *arg, uint64_t address, void *buf, size_t size)
{
    const struct live *l = arg;
    struct iovec to = {buf, size}, from = {(void *)(uintptr_t)address, size};
    return size == 0 || process_vm_readv(l->pid, &to, 1, &from, 1, 0) == (ssize_t)size;
}

static ssize_t read_mapped(void *arg, uint64_t offset, void *buf, size_t size)
{
    const struct live *l = arg;
    return read_memory(arg, l->base + offset, buf, size) ? (ssize_t)size : -1;
}

// The file behind descriptor `number` of the process, when it is the one that is mapped.
static int open_file(int pid, int number, ino_t inode, uint64_t size)
{
    char path[64];
    struct stat st;
    int fd = -1;
    if (number < 0)
        return -1;
    snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, number);
    int at = open(path, O_PATH | O_CLOEXEC);
    if (at < 0)
        return -1;
    if (fstat(at, &st) == 0 && S_ISREG(st.st_mode) && st.st_ino == inode &&
        (uint64_t)st.st_size >= size) {
        snprintf(path, sizeof(path), "/proc/self/fd/%d", at);
        fd = open(path, O_RDONLY | O_CLOEXEC);
    }
    close(at);
    return fd;
}

static struct live *live_new(int pid, uint64_t start_ticks, uint64_t base, uint64_t size,
                             ino_t inode)
{
    struct live *l = calloc(1, sizeof(*l));
    struct ls_abi_header h = {.fd = -1};
    if (!l)
        return NULL;
    l->pid = pid;
    l->base = base;
    if (read_memory(l, base, &h, sizeof(h)) && h.magic == LS_ABI_MAGIC && h.pid == pid)
        l->fd = open_file(pid, h.fd, inode, size);
    else
        l->fd = -1;
    struct live_source source = {.read = l->fd >= 0 ? read_file : read_mapped,
                                 .memory = read_memory,
                                 .arg = l,
                                 .size = size,
                                 .pid = pid,
                                 .start_time = start_ticks};
    live_table_init(&l->table, &source);
    return l;
}

static bool is_known(const struct live *list, uint64_t base)
{
    for (; list; list = list->next)
        if (list->base == base)
            return true;
    return false;
}

static void add(struct live **list, struct live *l)
{
    while (*list) {
        l->ordinal++;
        list = &(*list)->next;
    }
    *list = l;
}

int live_find(struct live **list, int pid, uint64_t start_ticks)
{
    char line[LINE_MAX_];
    int found = 0;
    snprintf(line, sizeof(line), "/proc/%d/maps", pid);
    FILE *maps = fopen(line, "re");
    if (!maps)
        return 0;
    while (found < TABLES_MAX && fgets(line, sizeof(line), maps)) {
        unsigned long long from, to, offset, inode;
        if (!strstr(line, "/memfd:" LS_ABI_NAME) ||
            sscanf(line, "%llx-%llx %*s %llx %*s %llu", &from, &to, &offset, &inode) != 4 ||
            offset != 0 || to <= from || is_known(*list, from))
            continue;
        struct live *l = live_new(pid, start_ticks, from, to - from, (ino_t)inode);
        if (!l)
            break;
        add(list, l);
        found++;
    }
    fclose(maps);
    return found;
}

void live_free(struct live *list)
{
    while (list) {
        struct live *next = list->next;
        if (list->fd >= 0)
            close(list->fd);
        live_table_free(&list->table);
        live_book_free(&list->book);
        free(list);
        list = next;
    }
}
