// JSON into a buffer of fixed size: what does not fit is left out whole, so that the text stays valid.
#ifndef LS_JSON_H
#define LS_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json {
    char *text;
    size_t size, length; // without NUL
    bool cut;            // something did not fit
};

// Adds `"key":value` with a comma before it unless it is the first; all or nothing.
void ls__json_string(struct json *j, const char *key, const char *value);
void ls__json_int(struct json *j, const char *key, int64_t value);
void ls__json_uint(struct json *j, const char *key, uint64_t value);
void ls__json_double(struct json *j, const char *key, double value); // null unless finite
void ls__json_bool(struct json *j, const char *key, bool value);

#endif
