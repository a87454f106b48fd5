#include "logger.h"

#include "fast.h"
#include "json.h"

#include <stdio.h>
#include <time.h>

#define TAIL 32 // room kept for what ends every line

static const char *const level_names[] = {"debug", "info", "warn", "error"};

static void add_time(struct json *j)
{
    char text[64];
    struct timespec now;
    struct tm tm;
    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    snprintf(text, sizeof(text), "%04d-%02d-%02dT%02d:%02d:%02d.%06ldZ", tm.tm_year + 1900,
             tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec, now.tv_nsec / 1000);
    ls__json_string(j, "time", text);
}

static void add_origin(struct json *j, const struct ls_site *site)
{
    char place[256];
    const struct task *t = task_current();
    if (site) {
        snprintf(place, sizeof(place), "%s:%u", site->file, site->line);
        ls__json_string(j, "at", place);
    }
    if (t) {
        ls__json_int(j, "task", t->id);
        ls__json_string(j, "task_name", ls__task_label(t));
    }
}

static void add_field(struct json *j, const struct ls_field *f)
{
    const char *name;
    switch (f->kind) {
    case LS_FIELD_STRING: ls__json_string(j, f->key, f->value.string); break;
    case LS_FIELD_INT: ls__json_int(j, f->key, f->value.integer); break;
    case LS_FIELD_UINT: ls__json_uint(j, f->key, f->value.unsigned_integer); break;
    case LS_FIELD_DOUBLE: ls__json_double(j, f->key, f->value.real); break;
    case LS_FIELD_BOOL: ls__json_bool(j, f->key, f->value.integer != 0); break;
    case LS_FIELD_ERROR:
        name =
            strerrorname_np(f->value.integer < 0 ? (int)-f->value.integer : (int)f->value.integer);
        if (name)
            ls__json_string(j, f->key, name);
        else
            ls__json_int(j, f->key, f->value.integer);
        break;
    case LS_FIELD_END: break;
    }
}

static struct json begin_line(char *line, enum ls_level level, const char *message)
{
    struct json j = {.text = line, .size = LOG_LINE - TAIL, .length = 1};
    line[0] = '{';
    add_time(&j);
    ls__json_string(&j, "level", level <= LS_LOG_ERROR ? level_names[level] : "error");
    ls__json_string(&j, "message", message ? message : "");
    return j;
}

static size_t end_line(struct json *j)
{
    j->size = LOG_LINE;
    if (j->cut)
        ls__json_bool(j, "cut", true);
    j->text[j->length++] = '}';
    j->text[j->length++] = '\n';
    return j->length;
}

size_t ls__log_format(char *line, const struct ls_site *site, enum ls_level level,
                      const char *message, va_list fields)
{
    struct json j = begin_line(line, level, message);
    add_origin(&j, site);
    for (;;) {
        struct ls_field f = va_arg(fields, struct ls_field);
        if (f.kind == LS_FIELD_END)
            break;
        add_field(&j, &f);
    }
    return end_line(&j);
}

size_t ls__log_dropped(char *line, uint64_t n)
{
    struct json j = begin_line(line, LS_LOG_WARN, "the log's queue was full: records were dropped");
    ls__json_uint(&j, "dropped", n);
    return end_line(&j);
}
