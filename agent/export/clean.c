#include "clean.h"

#include <string.h>
#include <wchar.h>

static size_t sequence_length(unsigned char lead)
{
    if (lead < 0x80)
        return 1;
    if (lead >= 0xc2 && lead <= 0xdf)
        return 2;
    if (lead >= 0xe0 && lead <= 0xef)
        return 3;
    return lead >= 0xf0 && lead <= 0xf4 ? 4 : 0;
}

size_t utf8_next(const char *text, size_t n, uint32_t *ret)
{
    const unsigned char *p = (const unsigned char *)text;
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t len = sequence_length(p[0]);
    *ret = 0xFFFD;
    if (len == 0 || len > n)
        return 1;
    uint32_t c = len == 1 ? p[0] : p[0] & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 1;
        c = c << 6 | (p[i] & 0x3f);
    }
    if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return 1;
    *ret = c;
    return len;
}

size_t utf8_put(uint32_t c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t len = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = len - 1; i > 0; i--, c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)((0xf00u >> len & 0xf0) | c);
    return len;
}

bool is_unsafe(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029 ||
           (c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0x200e ||
           c == 0x200f || c == 0xfeff;
}

// One character as it may be shown; length in out.
static size_t shown(uint32_t c, bool ascii, char out[4])
{
    if (is_unsafe(c) || (ascii && c >= 0x80)) {
        out[0] = c == '\t' || c == '\n' ? ' ' : '?';
        return 1;
    }
    return utf8_put(c, out);
}

void clean_print(FILE *out, const char *text, bool ascii)
{
    size_t n = text ? strlen(text) : 0;
    for (size_t i = 0; i < n;) {
        uint32_t c;
        char bytes[4];
        i += utf8_next(text + i, n - i, &c);
        fwrite(bytes, 1, shown(c, ascii, bytes), out);
    }
}

static int characters(const char *text, size_t n)
{
    int count = 0;
    uint32_t c;
    for (size_t i = 0; i < n; count++)
        i += utf8_next(text + i, n - i, &c);
    return count;
}

const char *clean(const char *text, int max, char *buf, size_t size)
{
    size_t n = text ? strlen(text) : 0, used = 0, i = 0;
    int total = characters(text, n);
    int limit = max > 3 && total > max ? max - 3 : total;
    for (int count = 0; i < n && count < limit && used + 8 <= size; count++) {
        uint32_t c;
        char bytes[4];
        i += utf8_next(text + i, n - i, &c);
        size_t len = shown(c, false, bytes);
        memcpy(buf + used, bytes, len);
        used += len;
    }
    if (i < n && used + 4 <= size) {
        memcpy(buf + used, "...", 3);
        used += 3;
    }
    buf[used] = '\0';
    return buf;
}

size_t clean_width(const char *text)
{
    size_t n = strlen(text), width = 0;
    for (size_t i = 0; i < n;) {
        uint32_t c;
        i += utf8_next(text + i, n - i, &c);
        int w = wcwidth((wchar_t)c);
        width += w > 0 ? (size_t)w : 1;
    }
    return width;
}
