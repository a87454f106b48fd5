#include "maps.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../list.h"

#define MAX_TEXT     (16u << 20) // some 200 000 mappings: beyond that it is an attack
#define MAX_MAPPINGS 131072

static bool take_hex(const char **at, uint64_t *ret)
{
    uint64_t v = 0;
    const char *p = *at;
    for (; p - *at < 16; p++) {
        if (*p >= '0' && *p <= '9')
            v = v << 4 | (uint64_t)(*p - '0');
        else if (*p >= 'a' && *p <= 'f')
            v = v << 4 | (uint64_t)(*p - 'a' + 10);
        else
            break;
    }
    bool any = p > *at;
    *at = p;
    *ret = v;
    return any;
}

static bool take_decimal(const char **at, uint64_t *ret)
{
    uint64_t v = 0;
    const char *p = *at;
    for (; *p >= '0' && *p <= '9' && p - *at < 19; p++)
        v = v * 10 + (uint64_t)(*p - '0');
    bool any = p > *at;
    *at = p;
    *ret = v;
    return any;
}

static bool take_char(const char **at, char c)
{
    if (**at != c)
        return false;
    (*at)++;
    return true;
}

// "7f12-7f34 r-xp 00026000 08:01 1234   /usr/lib/x.so". The line is NUL-terminated.
static bool parse_line(struct mapping *m, char *line)
{
    static const char deleted[] = " (deleted)";
    const char *at = line;
    uint64_t major, minor;
    if (!take_hex(&at, &m->start) || !take_char(&at, '-') || !take_hex(&at, &m->end) ||
        !take_char(&at, ' ') || strnlen(at, 5) < 5)
        return false;
    m->read = at[0] == 'r';
    m->write = at[1] == 'w';
    m->exec = at[2] == 'x';
    at += 4;
    if (!take_char(&at, ' ') || !take_hex(&at, &m->offset) || !take_char(&at, ' ') ||
        !take_hex(&at, &major) || !take_char(&at, ':') || !take_hex(&at, &minor) ||
        !take_char(&at, ' ') || !take_decimal(&at, &m->inode) || m->start >= m->end)
        return false;
    m->device = major << 32 | minor;
    at += strspn(at, " ");
    char *path = line + (at - line);
    size_t n = strlen(path), cut = sizeof(deleted) - 1;
    m->deleted = n > cut && !strcmp(path + n - cut, deleted);
    if (m->deleted)
        path[n - cut] = '\0';
    m->path = path;
    return true;
}

static int count_lines(const char *text)
{
    int n = 1;
    for (; (text = strchr(text, '\n')) && n < MAX_MAPPINGS; text++)
        n++;
    return n;
}

int maps_parse(struct maps *ret, char *text)
{
    *ret = (struct maps){.text = text};
    int max = count_lines(text);
    ret->list = calloc((size_t)max, sizeof(*ret->list));
    if (!ret->list) {
        maps_free(ret);
        return -ENOMEM;
    }
    uint64_t last = 0;
    for (char *line = text, *next; line && *line && ret->n < max; line = next) {
        next = strchr(line, '\n');
        if (next)
            *next++ = '\0';
        struct mapping *m = &ret->list[ret->n];
        *m = (struct mapping){0};
        if (!parse_line(m, line) || m->start < last)
            continue;
        last = m->end;
        ret->n++;
    }
    return 0;
}

static char *read_all(int fd, int *err)
{
    size_t len = 0, cap = 64 << 10;
    char *text = malloc(cap);
    *err = -ENOMEM;
    while (text) {
        ssize_t n = pread(fd, text + len, cap - len - 1, (off_t)len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            *err = -errno;
            break;
        }
        len += (size_t)n;
        if (n == 0 || len >= MAX_TEXT) {
            text[len] = '\0';
            return text;
        }
        if (cap - len < 8192) {
            char *more = realloc(text, cap *= 2);
            if (!more)
                break;
            text = more;
        }
    }
    free(text);
    return NULL;
}

int maps_read(struct maps *ret, int fd)
{
    int err;
    *ret = (struct maps){0};
    char *text = read_all(fd, &err);
    if (!text)
        return err;
    if (!*text) { // a process that is gone, or a kernel thread
        free(text);
        return -ESRCH;
    }
    return maps_parse(ret, text);
}

void maps_free(struct maps *m)
{
    free(m->list);
    free(m->text);
    *m = (struct maps){0};
}

struct mapping *maps_find(const struct maps *m, uint64_t address)
{
    int i = (int)list_divide(m->list, m->n, x, x->end <= address);
    return i < m->n && m->list[i].start <= address ? &m->list[i] : NULL;
}

bool mapping_is_anonymous(const struct mapping *m)
{
    return m->inode == 0 && m->path[0] != '/' && strcmp(m->path, "[vdso]") != 0 &&
           strcmp(m->path, "[vsyscall]") != 0;
}
