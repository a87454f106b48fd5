#include "opts.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

int parse_duration(const char *text, int64_t *ret_ns)
{
    static const struct {
        const char *unit;
        double ns;
    } units[] = {{"ns", 1},   {"us", 1e3},   {"ms", 1e6}, {"s", 1e9},
                 {"m", 60e9}, {"h", 3600e9}, {"", 1e9}};
    if (*text < '0' || *text > '9') // strtod would take "inf", "-1", " 1" and "0x1"
        if (*text != '.')
            return -EINVAL;
    char *end;
    double v = strtod(text, &end);
    if (end == text || text[strspn(text, "0123456789.")] == 'x')
        return -EINVAL;
    for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++) {
        if (strcmp(end, units[i].unit) != 0)
            continue;
        v *= units[i].ns;
        if (!isfinite(v) || v < 0 || v >= 9e18)
            return -EINVAL;
        *ret_ns = (int64_t)v;
        return 0;
    }
    return -EINVAL;
}
