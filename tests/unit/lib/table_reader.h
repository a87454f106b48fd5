// A reader of the live table as an outside program would write it: from abi.h alone, by process_vm_readv.
#ifndef TABLE_READER_H
#define TABLE_READER_H

#include <errno.h>
#include <fcntl.h>
#include <loopscope/abi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

struct table_reader {
    pid_t pid;
    uint64_t base, size;
    struct ls_abi_header header;
};

static inline ssize_t reader_copy_by_file(const struct table_reader *r, void *to, uint64_t offset,
                                          size_t size)
{
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/mem", (int)r->pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : pread(fd, to, size, (off_t)(r->base + offset));
    if (fd >= 0)
        close(fd);
    return n;
}

static inline int reader_copy(const struct table_reader *r, void *to, uint64_t offset, size_t size)
{
    struct iovec local = {to, size}, remote = {(void *)(uintptr_t)(r->base + offset), size};
    if (offset > r->size || size > r->size - offset)
        return -1;
    ssize_t n = process_vm_readv(r->pid, &local, 1, &remote, 1, 0);
    if (n < 0 && errno == ENOSYS) // qemu-user
        n = reader_copy_by_file(r, to, offset, size);
    return n == (ssize_t)size ? 0 : -1;
}

// The pid is the caller's claim; the header must agree.
static inline int reader_open(struct table_reader *r, pid_t pid)
{
    char path[64], line[512];
    snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
    FILE *f = fopen(path, "r");
    memset(r, 0, sizeof(*r));
    r->pid = pid;
    while (f && fgets(line, sizeof(line), f)) {
        unsigned long from, to;
        if (strstr(line, "/memfd:" LS_ABI_NAME) && sscanf(line, "%lx-%lx", &from, &to) == 2) {
            r->base = from;
            r->size = to - from;
        }
    }
    if (f)
        fclose(f);
    if (!r->base || reader_copy(r, &r->header, 0, sizeof(r->header)) < 0)
        return -1;
    const struct ls_abi_header *h = &r->header;
    return h->magic == LS_ABI_MAGIC && h->version == LS_ABI_VERSION && h->pid == pid &&
                   h->total_size == r->size && h->slots_capacity <= LS_ABI_MAX_SLOTS &&
                   h->slot_size >= sizeof(struct ls_abi_task) && h->slot_size <= 4096
               ? 0
               : -1;
}

// A slot that was whole: 1; free: 0; being written: -1.
static inline int reader_slot(const struct table_reader *r, uint32_t i, struct ls_abi_task *t)
{
    uint64_t at = r->header.slots_offset + (uint64_t)i * r->header.slot_size;
    uint32_t again;
    if (reader_copy(r, t, at, sizeof(*t)) < 0 || reader_copy(r, &again, at, sizeof(again)) < 0)
        return -1;
    if (t->seq & 1 || again != t->seq)
        return -1;
    return t->id != 0;
}

static inline const char *reader_site(const struct table_reader *r, uint32_t id, char *text,
                                      size_t size)
{
    struct ls_abi_site s;
    char file[128] = "", label[64] = "";
    if (id >= r->header.sites_capacity ||
        reader_copy(r, &s, r->header.sites_offset + (uint64_t)id * r->header.site_size, sizeof(s)) <
            0)
        return "?";
    reader_copy(r, file, r->header.strings_offset + s.file, sizeof(file) - 1);
    reader_copy(r, label, r->header.strings_offset + s.label, sizeof(label) - 1);
    const char *base = strrchr(file, '/');
    snprintf(text, size, "%s:%u %s", base ? base + 1 : file, s.line, label);
    return text;
}

#endif
