#include "perf_map.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../list.h"

#define MAX_TEXT (16u << 20) // of a map; what comes later is not read

struct entry {
    uint64_t start, size;
    uint32_t name, name_len; // in text
    uint32_t line;           // its number: later ones count
};

struct perf_map {
    int fd;
    char *text;
    size_t len, cap, parsed;
    struct entry *list; // by start, then by line
    size_t n, list_cap;
    uint64_t longest; // an entry that covers an address begins at most this far below it
    uint32_t lines;
};

struct perf_map *perf_map_new(int fd)
{
    struct perf_map *m = calloc(1, sizeof(*m));
    if (!m)
        close(fd);
    else
        m->fd = fd;
    return m;
}

void perf_map_free(struct perf_map *m)
{
    if (!m)
        return;
    close(m->fd);
    free(m->text);
    free(m->list);
    free(m);
}

static bool add_entry(struct perf_map *m, const struct entry *e)
{
    if (!list_room(m->list, m->n, m->list_cap))
        return false;
    m->list[m->n++] = *e;
    if (e->size > m->longest)
        m->longest = e->size;
    return true;
}

// "START SIZE NAME", hexadecimal. The line ends with NUL.
static void parse_line(struct perf_map *m, char *line)
{
    struct entry e = {.line = m->lines++};
    char *at;
    e.start = strtoull(line, &at, 16);
    if (at == line || *at != ' ')
        return;
    e.size = strtoull(at, &at, 16);
    if (*at != ' ' || e.size == 0 || e.size > 1u << 30)
        return;
    at++;
    e.name = (uint32_t)(at - m->text);
    e.name_len = (uint32_t)strlen(at);
    add_entry(m, &e);
}

static int by_place(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    if (x->start != y->start)
        return x->start < y->start ? -1 : 1;
    return x->line < y->line ? -1 : x->line > y->line;
}

static void parse_new(struct perf_map *m)
{
    size_t before = m->n;
    for (char *end; (end = memchr(m->text + m->parsed, '\n', m->len - m->parsed));) {
        *end = '\0';
        parse_line(m, m->text + m->parsed);
        m->parsed = (size_t)(end + 1 - m->text);
    }
    if (m->n != before)
        qsort(m->list, m->n, sizeof(*m->list), by_place);
}

static bool make_room(struct perf_map *m)
{
    if (m->cap - m->len >= 4096)
        return true;
    size_t cap = m->cap ? m->cap * 2 : 64 << 10;
    char *text = cap <= 2 * MAX_TEXT ? realloc(m->text, cap) : NULL;
    if (!text)
        return false;
    m->text = text;
    m->cap = cap;
    return true;
}

void perf_map_refresh(struct perf_map *m)
{
    struct stat st;
    if (fstat(m->fd, &st) == 0 && (size_t)st.st_size < m->len) { // written anew
        m->len = m->parsed = m->n = 0;
        m->longest = 0;
    }
    size_t before = m->len;
    while (m->len < MAX_TEXT && make_room(m)) {
        ssize_t n = pread(m->fd, m->text + m->len, m->cap - m->len, (off_t)m->len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            break;
        m->len += (size_t)n;
    }
    if (m->len != before)
        parse_new(m);
}

bool perf_map_find(const struct perf_map *m, uint64_t address, char *name, size_t size)
{
    const struct entry *best = NULL;
    for (size_t i = list_divide(m->list, m->n, x, x->start <= address); i-- > 0;) {
        const struct entry *e = &m->list[i];
        if (address - e->start >= m->longest)
            break;
        if (address - e->start < e->size && (!best || e->line > best->line))
            best = e;
    }
    if (!best)
        return false;
    size_t n = best->name_len < size - 1 ? best->name_len : size - 1;
    memcpy(name, m->text + best->name, n);
    name[n] = '\0';
    return true;
}
