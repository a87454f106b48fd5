// V8's heap objects: maps, small integers, strings, byte arrays.
#include <stdlib.h>
#include <string.h>

#include "../list.h"
#include "v8.h"
#include "words.h"

#define MAX_STRING (16 << 20) // characters of a source text
#define MAX_BYTES  (1 << 20)
#define MAX_DEPTH  8

// The low bits of a string's instance type.
enum { REPRESENTATION = 7, SEQ = 0, CONS = 1, EXTERNAL = 2, SLICED = 3, THIN = 5, ONE_BYTE = 8 };
enum { FIRST_NON_STRING = 128 };

bool v8_is_smi(uint64_t value)
{
    return (value & 0xffffffff) == 0;
}

int32_t v8_smi(uint64_t value)
{
    return (int32_t)(value >> 32);
}

static bool is_object(uint64_t value)
{
    return (value & 3) == 1 && value >= 4096;
}

uint64_t v8_field(struct v8 *v, uint64_t object, int offset)
{
    uint64_t value = 0;
    if (is_object(object))
        mem_u64(v->m, object - 1 + offset, &value);
    return value;
}

// While the collector moves objects, the first word of one that has moved is its new address,
// untagged; the rest of the old copy is still whole.
int v8_type(struct v8 *v, uint64_t object)
{
    uint64_t map = v8_field(v, object, 0);
    uint16_t type;
    if (map && !(map & 7))
        map = v8_field(v, map + 1, 0);
    return is_object(map) && mem_u16(v->m, map - 1 + v->l.map_type, &type) ? type : -1;
}

bool v8_is_string(struct v8 *v, uint64_t object)
{
    int type = v8_type(v, object);
    return type >= 0 && type < FIRST_NON_STRING;
}

int v8_array_length(struct v8 *v, uint64_t array)
{
    uint64_t length = v8_field(v, array, v->l.array_length);
    return is_object(array) && v8_is_smi(length) && v8_smi(length) >= 0 ? v8_smi(length) : -1;
}

uint8_t *v8_bytes(struct v8 *v, uint64_t array, size_t *n)
{
    int length = v8_array_length(v, array);
    if (length <= 0 || length > MAX_BYTES)
        return NULL;
    uint8_t *bytes = malloc(length);
    if (bytes && mem_read(v->m, array - 1 + v->l.array_data, bytes, length)) {
        *n = length;
        return bytes;
    }
    free(bytes);
    return NULL;
}

// A flat piece of a string: where its characters lie.
struct flat {
    uint64_t data;
    bool one_byte;
    int length;
};

static int string_length(struct v8 *v, uint64_t string)
{
    uint32_t length;
    if (!mem_u32(v->m, string - 1 + v->l.string_length, &length) || length > MAX_STRING)
        return -1;
    return (int)length;
}

// Follows thin and sliced strings; false for cons strings and what is none.
static bool flatten(struct v8 *v, uint64_t string, struct flat *ret)
{
    int offset = 0, length = -1;
    for (int depth = 0; depth < MAX_DEPTH; depth++) {
        int type = v8_type(v, string), own;
        if (type < 0 || type >= FIRST_NON_STRING || (own = string_length(v, string)) < 0)
            return false;
        length = length < 0 ? own : length;
        ret->one_byte = type & ONE_BYTE;
        switch (type & REPRESENTATION) {
        case SEQ: ret->data = string - 1 + v->l.string_chars; break;
        case EXTERNAL: ret->data = v8_field(v, string, v->l.external_data); break;
        case THIN: string = v8_field(v, string, v->l.thin_actual); continue;
        case SLICED:
            offset += v8_smi(v8_field(v, string, v->l.sliced_offset));
            string = v8_field(v, string, v->l.sliced_parent);
            continue;
        default: return false;
        }
        if (offset < 0 || offset > own || length > own - offset)
            return false;
        ret->data += (uint64_t)offset * (ret->one_byte ? 1 : 2);
        ret->length = length;
        return true;
    }
    return false;
}

static size_t append_flat(struct v8 *v, const struct flat *f, char *buf, size_t n)
{
    uint8_t text[2 * V8_NAME_MAX];
    size_t width = f->one_byte ? 1 : 2, len = 0;
    int length = f->length < V8_NAME_MAX ? f->length : V8_NAME_MAX;
    if (!mem_read(v->m, f->data, text, length * width))
        return 0;
    for (int i = 0; i < length && len + 4 < n; i++) {
        uint32_t c = 0;
        memcpy(&c, text + i * width, width);
        len += put_utf8(buf + len, c);
    }
    return len;
}

// Names made at run time are often cons strings: a tree, walked left to right, cut at the buffer's
// end.
static size_t append(struct v8 *v, uint64_t string, char *buf, size_t n, int depth)
{
    struct flat f;
    int type = v8_type(v, string);
    if (depth > MAX_DEPTH || n < 8)
        return 0;
    if (type >= 0 && type < FIRST_NON_STRING && (type & REPRESENTATION) == CONS) {
        size_t len = append(v, v8_field(v, string, v->l.cons_first), buf, n, depth + 1);
        return len +
               append(v, v8_field(v, string, v->l.cons_second), buf + len, n - len, depth + 1);
    }
    return flatten(v, string, &f) ? append_flat(v, &f, buf, n) : 0;
}

bool v8_string(struct v8 *v, uint64_t string, char *buf, size_t n)
{
    size_t len = v8_is_string(v, string) ? append(v, string, buf, n, 0) : 0;
    buf[len] = 0;
    return len > 0;
}

static bool add_end(uint32_t **ends, int *count, int *capacity, uint32_t at)
{
    if (!list_room(*ends, *count, *capacity))
        return false;
    (*ends)[(*count)++] = at;
    return true;
}

// ECMAScript's line ends: LF, CR, CR LF, U+2028 and U+2029.
static bool ends_line(uint32_t c, uint32_t next)
{
    return c == '\n' || (c == '\r' && next != '\n') || c == 0x2028 || c == 0x2029;
}

uint32_t *v8_line_ends(struct v8 *v, uint64_t source, int *count)
{
    struct flat f;
    uint32_t *ends = NULL;
    int capacity = 0;
    *count = 0;
    if (!flatten(v, source, &f))
        return NULL;
    size_t width = f.one_byte ? 1 : 2;
    uint32_t previous = 0;
    for (int at = 0; at < f.length;) {
        uint8_t block[MEM_PAGE];
        int chars = (int)(sizeof block / width) < f.length - at ? (int)(sizeof block / width)
                                                                : f.length - at;
        if (!mem_read(v->m, f.data + at * width, block, chars * width)) {
            free(ends);
            return NULL;
        }
        for (int i = 0; i < chars; i++) {
            uint32_t c = 0;
            memcpy(&c, block + i * width, width);
            if ((at + i && ends_line(previous, c)) && !add_end(&ends, count, &capacity, at + i)) {
                free(ends);
                return NULL;
            }
            previous = c;
        }
        at += chars;
    }
    if (!ends)
        ends = calloc(1, sizeof *ends); // one line: an array all the same
    return ends;
}
