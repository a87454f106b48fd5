#include "json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static void put(struct json *j, const char *text, size_t n)
{
    if (n > j->size - j->length) {
        j->cut = true;
        return;
    }
    memcpy(j->text + j->length, text, n);
    j->length += n;
}

static void put_text(struct json *j, const char *text)
{
    put(j, text, strlen(text));
}

// Bytes of the well-formed UTF-8 character at s; 0: it is none.
static size_t utf8_length(const unsigned char *s)
{
    static const struct {
        unsigned char mask, lead;
        uint32_t least;
    } forms[] = {{0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};
    for (size_t n = 2; n <= 4; n++) {
        if ((s[0] & forms[n - 2].mask) != forms[n - 2].lead)
            continue;
        uint32_t c = s[0] & (unsigned char)~forms[n - 2].mask;
        for (size_t i = 1; i < n; i++) {
            if ((s[i] & 0xc0) != 0x80)
                return 0;
            c = c << 6 | (s[i] & 0x3f);
        }
        bool surrogate = c >= 0xd800 && c < 0xe000;
        return c >= forms[n - 2].least && c <= 0x10ffff && !surrogate ? n : 0;
    }
    return 0;
}

static void put_control(struct json *j, unsigned char c)
{
    static const char controls[] = "\b\t\n\f\r", escapes[] = "btnfr";
    const char *at = strchr(controls, c);
    char text[8];
    if (at)
        snprintf(text, sizeof(text), "\\%c", escapes[at - controls]);
    else
        snprintf(text, sizeof(text), "\\u%04x", c);
    put_text(j, text);
}

static void put_quoted(struct json *j, const char *value)
{
    put(j, "\"", 1);
    for (const unsigned char *s = (const unsigned char *)value; *s;) {
        size_t n = 1;
        if (*s == '"' || *s == '\\') {
            put(j, "\\", 1);
            put(j, (const char *)s, 1);
        } else if (*s < 0x20 || *s == 0x7f) {
            put_control(j, *s);
        } else if (*s < 0x80) {
            put(j, (const char *)s, 1);
        } else if ((n = utf8_length(s))) {
            put(j, (const char *)s, n);
        } else {
            put(j, "\xef\xbf\xbd", 3); // U+FFFD
            n = 1;
        }
        s += n;
    }
    put(j, "\"", 1);
}

static size_t begin(struct json *j, const char *key)
{
    size_t start = j->length;
    if (start > 0 && j->text[start - 1] != '{' && j->text[start - 1] != '[')
        put(j, ",", 1);
    put_quoted(j, key);
    put(j, ":", 1);
    return start;
}

// Takes back what did not fit as a whole.
static void end(struct json *j, size_t start, bool was_cut)
{
    if (j->cut && !was_cut)
        j->length = start;
}

static void add_text(struct json *j, const char *key, const char *text)
{
    bool was_cut = j->cut;
    j->cut = false;
    size_t start = begin(j, key);
    put_text(j, text);
    end(j, start, false);
    j->cut = j->cut || was_cut;
}

void ls__json_string(struct json *j, const char *key, const char *value)
{
    bool was_cut = j->cut;
    j->cut = false;
    size_t start = begin(j, key);
    if (value)
        put_quoted(j, value);
    else
        put_text(j, "null");
    end(j, start, false);
    j->cut = j->cut || was_cut;
}

void ls__json_int(struct json *j, const char *key, int64_t value)
{
    char text[32];
    snprintf(text, sizeof(text), "%lld", (long long)value);
    add_text(j, key, text);
}

void ls__json_uint(struct json *j, const char *key, uint64_t value)
{
    char text[32];
    snprintf(text, sizeof(text), "%llu", (unsigned long long)value);
    add_text(j, key, text);
}

void ls__json_double(struct json *j, const char *key, double value)
{
    char text[40];
    snprintf(text, sizeof(text), "%.17g", value);
    for (char *c = text; *c; c++)
        if (*c == ',') // a locale's decimal point
            *c = '.';
    add_text(j, key, isfinite(value) ? text : "null");
}

void ls__json_bool(struct json *j, const char *key, bool value)
{
    add_text(j, key, value ? "true" : "false");
}
