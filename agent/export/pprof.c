// pprof: gzipped protobuf. The message is small and fixed, so it is encoded by hand: a field is a varint
// tag (number << 3 | type), then a varint, or a length and bytes.
//
// Offsets in a module's file serve as addresses; each module gets a range of its own, since a recording
// knows no load addresses and readers want mappings apart.
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "../list.h"
#include "formats.h"
#include "history.h"
#include "names.h"

#define MAPPING_RANGE (1ULL << 40)

enum { VARINT = 0, BYTES = 2 };
enum profile_field {
    SAMPLE_TYPE = 1,
    SAMPLE = 2,
    MAPPING = 3,
    LOCATION = 4,
    FUNCTION = 5,
    STRING = 6,
    TIME_NANOS = 9,
    DURATION_NANOS = 10,
    COMMENT = 13,
};

struct buffer {
    uint8_t *data;
    size_t n, cap;
};

static void put_byte(struct buffer *b, uint8_t byte)
{
    list_must_have_room(b->data, b->n, b->cap);
    b->data[b->n++] = byte;
}

static void put_varint(struct buffer *b, uint64_t v)
{
    for (; v >= 0x80; v >>= 7)
        put_byte(b, (uint8_t)(v | 0x80));
    put_byte(b, (uint8_t)v);
}

static void field_varint(struct buffer *b, int field, uint64_t v)
{
    put_varint(b, (uint64_t)field << 3 | VARINT);
    put_varint(b, v);
}

static void field_bytes(struct buffer *b, int field, const void *data, size_t n)
{
    put_varint(b, (uint64_t)field << 3 | BYTES);
    put_varint(b, n);
    for (size_t i = 0; i < n; i++)
        put_byte(b, ((const uint8_t *)data)[i]);
}

// A message within a message; frees it.
static void field_message(struct buffer *b, int field, struct buffer *inner)
{
    field_bytes(b, field, inner->data, inner->n);
    free(inner->data);
    *inner = (struct buffer){0};
}

struct profile {
    struct buffer out;
    struct numbering *strings, *mappings, *functions, *locations; // ids are numbers + 1
};

static uint64_t string_id(struct profile *p, const char *text)
{
    return (uint64_t)numbering_of(p->strings, text ? text : "", NULL);
}

static uint64_t clean_id(struct profile *p, const char *text)
{
    char buf[4200];
    return string_id(p, clean(text, 0, buf, sizeof(buf)));
}

static uint64_t mapping_id(struct profile *p, const struct frame *f);

static void profile_begin(struct profile *p, const struct snap *s)
{
    *p = (struct profile){.strings = numbering_new(),
                          .mappings = numbering_new(),
                          .functions = numbering_new(),
                          .locations = numbering_new()};
    string_id(p, "");      // 0 must be the empty string
    if (s->nprocesses > 0) // readers take the first mapping for the program
        mapping_id(p, &(struct frame){.module = s->processes[0].exe});
}

static void value_type(struct profile *p, const char *type, const char *unit)
{
    struct buffer b = {0};
    field_varint(&b, 1, string_id(p, type));
    field_varint(&b, 2, string_id(p, unit));
    field_message(&p->out, SAMPLE_TYPE, &b);
}

static uint64_t mapping_id(struct profile *p, const struct frame *f)
{
    bool fresh;
    if (!f->module)
        return 0;
    uint64_t id = (uint64_t)numbering_of(p->mappings, f->module, &fresh) + 1;
    if (!fresh)
        return id;
    struct buffer b = {0};
    field_varint(&b, 1, id);
    field_varint(&b, 2, id * MAPPING_RANGE);
    field_varint(&b, 3, (id + 1) * MAPPING_RANGE);
    field_varint(&b, 5, clean_id(p, f->module));
    field_varint(&b, 6, clean_id(p, f->build_id));
    field_varint(&b, 7, 1);
    field_message(&p->out, MAPPING, &b);
    return id;
}

static uint64_t function_id(struct profile *p, const struct frame *f)
{
    char key[900], word[512];
    bool fresh;
    frame_word(f, word, sizeof(word));
    snprintf(key, sizeof(key), "%s|%.300s", word, f->file ? f->file : "");
    uint64_t id = (uint64_t)numbering_of(p->functions, key, &fresh) + 1;
    if (!fresh)
        return id;
    struct buffer b = {0};
    field_varint(&b, 1, id);
    field_varint(&b, 2, string_id(p, word));
    field_varint(&b, 3, string_id(p, word));
    field_varint(&b, 4, clean_id(p, f->file ? f->file : f->module));
    field_message(&p->out, FUNCTION, &b);
    return id;
}

static uint64_t location_id(struct profile *p, const struct frame *f)
{
    uint64_t mapping = mapping_id(p, f), function = function_id(p, f);
    char key[100];
    bool fresh;
    snprintf(key, sizeof(key), "%llu|%llu|%d|%llx", (unsigned long long)mapping,
             (unsigned long long)function, f->line, (unsigned long long)f->offset);
    uint64_t id = (uint64_t)numbering_of(p->locations, key, &fresh) + 1;
    if (!fresh)
        return id;
    struct buffer b = {0}, line = {0};
    field_varint(&b, 1, id);
    field_varint(&b, 2, mapping);
    field_varint(&b, 3, mapping * MAPPING_RANGE + f->offset % MAPPING_RANGE);
    field_varint(&line, 1, function);
    if (f->line > 0)
        field_varint(&line, 2, (uint64_t)f->line);
    field_message(&b, 4, &line);
    field_message(&p->out, LOCATION, &b);
    return id;
}

static void label(struct profile *p, struct buffer *sample, const char *key, const char *value)
{
    struct buffer b = {0};
    field_varint(&b, 1, string_id(p, key));
    field_varint(&b, 2, clean_id(p, value));
    field_message(sample, 3, &b);
}

static void put_sample(struct profile *p, const struct snap *s, int pid, const char *detail,
                       const struct stack *st, int64_t count, int64_t weight)
{
    struct buffer b = {0}, ids = {0}, values = {0};
    for (int i = 0; st && i < st->nframes; i++)
        put_varint(&ids, location_id(p, &st->frames[i]));
    if (!st) {
        struct frame none = {.function = "[no stack]"};
        put_varint(&ids, location_id(p, &none));
    }
    put_varint(&values, (uint64_t)(count > 0 ? count : 0));
    put_varint(&values, (uint64_t)(weight > 0 ? weight : 0));
    field_message(&b, 1, &ids);
    field_message(&b, 2, &values);
    label(p, &b, "process", process_name(s, pid));
    if (detail)
        label(p, &b, "kind", detail);
    field_message(&p->out, SAMPLE, &b);
}

static int deflate_to(FILE *out, const struct buffer *b)
{
    z_stream z = {.next_in = b->data, .avail_in = (uInt)b->n};
    uint8_t chunk[16384];
    if (deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
        return -ENOMEM;
    int rc;
    do {
        z.next_out = chunk;
        z.avail_out = sizeof(chunk);
        rc = deflate(&z, Z_FINISH);
        fwrite(chunk, 1, sizeof(chunk) - z.avail_out, out);
    } while (rc == Z_OK);
    deflateEnd(&z);
    return rc == Z_STREAM_END && !ferror(out) ? 0 : -EIO;
}

static int profile_end(struct profile *p, const struct snap *s, FILE *out)
{
    field_varint(&p->out, TIME_NANOS, (uint64_t)s->started_unix_ns);
    field_varint(&p->out, DURATION_NANOS, (uint64_t)s->now_ns);
    field_varint(&p->out, COMMENT, string_id(p, "loopscope " LOOPSCOPE_VERSION));
    for (int i = 0; i < numbering_count(p->strings); i++) {
        const char *text = numbering_text(p->strings, i);
        field_bytes(&p->out, STRING, text, strlen(text));
    }
    int rc = deflate_to(out, &p->out);
    free(p->out.data);
    numbering_free(p->strings);
    numbering_free(p->mappings);
    numbering_free(p->functions);
    numbering_free(p->locations);
    return rc;
}

int export_pprof(const struct snap *s, const struct export_opts *o, FILE *out)
{
    struct profile p;
    struct weights w = weigh(s, o->history);
    profile_begin(&p, s);
    value_type(&p, "stalls", "count");
    value_type(&p, "blocked", "nanoseconds");
    for (int i = 0; i < w.n; i++) {
        const struct stack_weight *k = &w.list[i];
        put_sample(&p, s, k->pid, cause_kind_name(k->cause->kind), k->stack, k->stalls, k->ns);
    }
    weights_finish(&w);
    return profile_end(&p, s, out);
}

int export_pprof_fds(const struct snap *s, const struct export_opts *o, FILE *out)
{
    (void)o;
    struct profile p;
    profile_begin(&p, s);
    value_type(&p, "open_fds", "count");
    value_type(&p, "age", "nanoseconds");
    for (int i = 0; i < s->nfds; i++) {
        const struct snap_fd_site *f = &s->fds[i];
        put_sample(&p, s, f->pid, f->kind, f->stack, f->open, f->oldest_ns);
    }
    return profile_end(&p, s, out);
}

int export_pprof_tasks(const struct snap *s, const struct export_opts *o, FILE *out)
{
    (void)o;
    struct profile p;
    profile_begin(&p, s);
    value_type(&p, "tasks", "count");
    value_type(&p, "age", "nanoseconds");
    for (int i = 0; i < s->ntasks; i++) {
        const struct snap_task *t = &s->tasks[i];
        put_sample(&p, s, t->pid, task_state_name(t->state), t->chain, 1, t->age_ns);
    }
    return profile_end(&p, s, out);
}
