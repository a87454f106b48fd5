// Writes JSON to a stream: it counts nesting and commas itself, and any byte comes out as valid UTF-8.
//
// Keys are our own constants; values may be a target's. SNAP_UNKNOWN, NAN and NULL become null.
#ifndef LOOPSCOPE_EXPORT_JSON_H
#define LOOPSCOPE_EXPORT_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define JSON_DEPTH 32

struct json {
    FILE *out;
    int depth;
    bool filled[JSON_DEPTH]; // this level has a member already
    bool pretty;             // a line a member down to `pretty_depth`
    int pretty_depth;
    bool in_html; // also escape < > & so that no tag can begin
};

struct json json_begin(FILE *out);
void json_open(struct json *j, const char *key, char bracket); // key NULL in arrays and at the top
void json_close(struct json *j, char bracket);                 // '}' or ']'
void json_put_object(struct json *j, const char *key);         // json_open with '{'
void json_put_array(struct json *j, const char *key);
void json_end_object(struct json *j);
void json_end_array(struct json *j);

void json_put_text(struct json *j, const char *key, const char *text);
void json_put_textn(struct json *j, const char *key, const char *text, size_t n);
void json_put_int(struct json *j, const char *key, int64_t v); // SNAP_UNKNOWN: null
void json_put_unsigned(struct json *j, const char *key,
                       uint64_t v);                            // what readers cannot hold: null
void json_put_real(struct json *j, const char *key, double v); // not finite: null
void json_put_bool(struct json *j, const char *key, bool v);
void json_put_null(struct json *j, const char *key);
void json_put_time(struct json *j, const char *key, int64_t unix_ns); // RFC 3339, UTC

// "2026-03-01T08:00:00.000000Z"; buf of 40. SNAP_UNKNOWN gives "".
const char *format_time(int64_t unix_ns, char *buf);
// The shortest decimal that reads back as v.
const char *format_real(double v, char *buf, int size);

#endif
