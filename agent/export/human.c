#include "human.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "../snapshot/snapshot.h"

static struct human unknown(void)
{
    return (struct human){"-"};
}

static struct human three_digits(double v, const char *unit)
{
    struct human h;
    int decimals = v < 9.995 ? 2 : v < 99.95 ? 1 : 0;
    snprintf(h.text, sizeof(h.text), "%.*f", decimals, v);
    char *dot = strchr(h.text, '.');
    if (dot) { // 2.00 says no more than 2
        char *end = h.text + strlen(h.text);
        while (end > dot && (end[-1] == '0' || end[-1] == '.'))
            *--end = '\0';
    }
    snprintf(h.text + strlen(h.text), sizeof(h.text) - strlen(h.text), " %s", unit);
    return h;
}

struct human human_ns(int64_t ns)
{
    struct human h;
    if (ns == SNAP_UNKNOWN || ns < 0)
        return unknown();
    double v = (double)ns;
    if (ns == 0)
        return (struct human){"0"};
    if (v < 999.5e3)
        return three_digits(v / 1e3, "us");
    if (v < 999.5e6)
        return three_digits(v / 1e6, "ms");
    if (v < 119.5e9)
        return three_digits(v / 1e9, "s");
    int64_t s = (ns + 500000000) / 1000000000;
    if (s < 7200)
        snprintf(h.text, sizeof(h.text), s % 60 ? "%d min %d s" : "%d min", (int)(s / 60),
                 (int)(s % 60));
    else if (s < 172800)
        snprintf(h.text, sizeof(h.text), "%d h %d min", (int)(s / 3600), (int)(s % 3600 / 60));
    else
        snprintf(h.text, sizeof(h.text), "%lld d", (long long)(s / 86400));
    return h;
}

struct human human_count(int64_t n)
{
    struct human h = {0};
    if (n == SNAP_UNKNOWN)
        return unknown();
    char digits[24];
    int len = snprintf(digits, sizeof(digits), "%lld", (long long)n);
    size_t at = 0;
    for (int i = 0; i < len; i++) {
        int left = len - i;
        if (i > 0 && left % 3 == 0 && len > 4 && digits[i - 1] != '-')
            h.text[at++] = ' ';
        h.text[at++] = digits[i];
    }
    return h;
}

struct human human_bytes(int64_t n)
{
    static const char *const units[] = {"B", "KB", "MB", "GB", "TB", "PB", "EB"};
    if (n == SNAP_UNKNOWN || n < 0)
        return unknown();
    double v = (double)n;
    int i = 0;
    for (; v >= 999.5 && i < 6; i++)
        v /= 1024;
    return three_digits(v, units[i]);
}

struct human human_ratio(double ratio)
{
    struct human h;
    if (!isfinite(ratio))
        return unknown();
    snprintf(h.text, sizeof(h.text), "%.1f %%", ratio * 100);
    return h;
}

struct human human_rate(double per_s)
{
    struct human h;
    if (!isfinite(per_s))
        return unknown();
    if (fabs(per_s) < 0.005)
        return (struct human){"0/s"};
    snprintf(h.text, sizeof(h.text), "%+.3g/s", per_s);
    return h;
}

const char *base_name(const char *path)
{
    const char *slash = path ? strrchr(path, '/') : NULL;
    return slash && slash[1] ? slash + 1 : path;
}
