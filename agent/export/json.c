#include "json.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../snapshot/snapshot.h"
#include "clean.h"

struct json json_begin(FILE *out)
{
    return (struct json){.out = out};
}

static void indent(struct json *j)
{
    if (!j->pretty || j->depth > j->pretty_depth)
        return;
    fputc('\n', j->out);
    for (int i = 0; i < j->depth; i++)
        fputs("  ", j->out);
}

static bool is_markup(const struct json *j, uint32_t c)
{
    return j->in_html && (c == '<' || c == '>' || c == '&');
}

// How much of the text goes as it is: nearly always all of it.
static size_t plain_part(const struct json *j, const char *text, size_t n)
{
    size_t i = 0;
    while (i < n && text[i] >= 0x20 && text[i] < 0x7f && text[i] != '"' && text[i] != '\\' &&
           !is_markup(j, (unsigned char)text[i]))
        i++;
    return i;
}

static void escaped(struct json *j, const char *text, size_t n)
{
    fputc('"', j->out);
    for (size_t i = 0; i < n;) {
        uint32_t c;
        char bytes[4];
        size_t plain = plain_part(j, text + i, n - i);
        fwrite(text + i, 1, plain, j->out);
        i += plain;
        if (i == n)
            break;
        i += utf8_next(text + i, n - i, &c);
        if (c == '"' || c == '\\')
            fprintf(j->out, "\\%c", (int)c);
        else if (is_unsafe(c) || is_markup(j, c))
            fprintf(j->out, "\\u%04x", (unsigned)c);
        else
            fwrite(bytes, 1, utf8_put(c, bytes), j->out);
    }
    fputc('"', j->out);
}

static void member(struct json *j, const char *key)
{
    if (j->depth > 0) {
        if (j->filled[j->depth])
            fputc(',', j->out);
        j->filled[j->depth] = true;
        indent(j);
    }
    if (key) {
        escaped(j, key, strlen(key));
        fputs(j->pretty ? ": " : ":", j->out);
    }
}

void json_open(struct json *j, const char *key, char bracket)
{
    member(j, key);
    fputc(bracket, j->out);
    if (j->depth + 1 >= JSON_DEPTH)
        abort(); // our own nesting, never a target's
    j->filled[++j->depth] = false;
}

void json_close(struct json *j, char bracket)
{
    bool filled = j->filled[j->depth--];
    if (filled && j->pretty && j->depth < j->pretty_depth)
        indent(j);
    fputc(bracket, j->out);
}

void json_put_object(struct json *j, const char *key)
{
    json_open(j, key, '{');
}

void json_put_array(struct json *j, const char *key)
{
    json_open(j, key, '[');
}

void json_end_object(struct json *j)
{
    json_close(j, '}');
}

void json_end_array(struct json *j)
{
    json_close(j, ']');
}

void json_put_textn(struct json *j, const char *key, const char *text, size_t n)
{
    member(j, key);
    escaped(j, text, n);
}

void json_put_text(struct json *j, const char *key, const char *text)
{
    if (text)
        json_put_textn(j, key, text, strlen(text));
    else
        json_put_null(j, key);
}

void json_put_int(struct json *j, const char *key, int64_t v)
{
    if (v == SNAP_UNKNOWN) {
        json_put_null(j, key);
        return;
    }
    member(j, key);
    fprintf(j->out, "%lld", (long long)v);
}

void json_put_unsigned(struct json *j, const char *key, uint64_t v)
{
    json_put_int(j, key, v > INT64_MAX ? SNAP_UNKNOWN : (int64_t)v);
}

const char *format_real(double v, char *buf, int size)
{
    for (int digits = 6; digits <= 17; digits++) {
        snprintf(buf, (size_t)size, "%.*g", digits, v);
        if (strtod(buf, NULL) == v)
            break;
    }
    return buf;
}

void json_put_real(struct json *j, const char *key, double v)
{
    char buf[40];
    member(j, key);
    fputs(isfinite(v) ? format_real(v, buf, sizeof(buf)) : "null", j->out);
}

void json_put_bool(struct json *j, const char *key, bool v)
{
    member(j, key);
    fputs(v ? "true" : "false", j->out);
}

void json_put_null(struct json *j, const char *key)
{
    member(j, key);
    fputs("null", j->out);
}

const char *format_time(int64_t unix_ns, char *buf)
{
    time_t seconds = (time_t)(unix_ns / 1000000000);
    struct tm tm;
    *buf = '\0';
    if (unix_ns < 0 || !gmtime_r(&seconds, &tm))
        return buf;
    size_t n = strftime(buf, 24, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(buf + n, 16, ".%06dZ", (int)(unix_ns % 1000000000 / 1000));
    return buf;
}

void json_put_time(struct json *j, const char *key, int64_t unix_ns)
{
    char buf[48];
    if (*format_time(unix_ns, buf))
        json_put_text(j, key, buf);
    else
        json_put_null(j, key);
}
