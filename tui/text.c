#include "text.h"

#include <string.h>
#include <wchar.h>

// Length of the sequence that a first byte announces; 0: no first byte.
static int sequence_length(unsigned char c)
{
    if (c < 0x80)
        return 1;
    if (c >= 0xc2 && c <= 0xdf)
        return 2;
    if (c >= 0xe0 && c <= 0xef)
        return 3;
    return c >= 0xf0 && c <= 0xf4 ? 4 : 0;
}

static int decode(const char *s, uint32_t *ret)
{
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    static const unsigned char first_bits[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    const unsigned char *p = (const unsigned char *)s;
    int n = sequence_length(*p);
    *ret = TEXT_REPLACEMENT;
    if (n == 0)
        return 1;
    uint32_t ch = *p & first_bits[n];
    for (int i = 1; i < n; i++) {
        if ((p[i] & 0xc0) != 0x80) // also stops at the terminating NUL
            return i;
        ch = ch << 6 | (p[i] & 0x3f);
    }
    if (ch >= smallest[n] && ch <= 0x10ffff && (ch < 0xd800 || ch > 0xdfff))
        *ret = ch;
    return n;
}

static int is_invisible(uint32_t ch)
{
    return ch == 0xad || (ch >= 0x200b && ch <= 0x200f) || (ch >= 0x2028 && ch <= 0x202e) ||
           (ch >= 0x2060 && ch <= 0x206f) || ch == 0x061c || ch == 0xfeff ||
           (ch >= 0xfff9 && ch <= 0xfffb) || (ch >= 0xe0000 && ch <= 0xe0fff);
}

int text_next(const char *s, uint32_t *ret_ch, int *ret_width)
{
    if (!*s)
        return 0;
    uint32_t ch;
    int n = decode(s, &ch);
    int width = 1;
    if (ch == '\t' || ch == '\n') {
        ch = ' ';
    } else if (is_invisible(ch)) {
        ch = 0;
        width = 0;
    } else if (ch < 0x20 || ch == 0x7f || (ch >= 0x80 && ch < 0xa0)) {
        ch = TEXT_REPLACEMENT;
    } else if (ch >= 0x80 && ch != TEXT_REPLACEMENT) {
        width = wcwidth((wchar_t)ch);
        if (width < 0) {
            ch = TEXT_REPLACEMENT;
            width = 1;
        }
    }
    *ret_ch = ch;
    *ret_width = width;
    return n;
}

int text_width(const char *s)
{
    uint32_t ch;
    int width, n, sum = 0;
    for (; (n = text_next(s, &ch, &width)) > 0; s += n)
        sum += width;
    return sum;
}

int text_encode(uint32_t ch, char *out)
{
    if (ch < 0x80) {
        out[0] = (char)ch;
        return 1;
    }
    int n = ch < 0x800 ? 2 : ch < 0x10000 ? 3 : 4;
    for (int i = n - 1; i > 0; i--, ch >>= 6)
        out[i] = (char)(0x80 | (ch & 0x3f));
    out[0] = (char)((0xf00 >> n & 0xff) | ch);
    return n;
}

char *text_clean(char *out, size_t size, const char *in)
{
    size_t used = 0;
    uint32_t ch;
    int width, n;
    for (const char *s = in ? in : ""; (n = text_next(s, &ch, &width)) > 0; s += n) {
        char bytes[4];
        if (ch == 0)
            continue;
        int len = text_encode(ch, bytes);
        if (used + (size_t)len >= size)
            break;
        memcpy(out + used, bytes, (size_t)len);
        used += (size_t)len;
    }
    if (size > 0)
        out[used] = '\0';
    return out;
}

const char *text_base(const char *path)
{
    if (!path)
        return "-";
    const char *slash = strrchr(path, '/');
    return slash && slash[1] ? slash + 1 : path;
}
