#include "format.h"

#include <math.h>
#include <stdio.h>
#include <time.h>

#include "../agent/snapshot/snapshot.h"

static struct fmt unknown(void)
{
    return (struct fmt){"-"};
}

static struct fmt long_time(int64_t seconds)
{
    struct fmt f;
    long long s = seconds;
    if (s < 3600)
        snprintf(f.s, sizeof(f.s), "%lldm", s / 60);
    else if (s < 86400)
        snprintf(f.s, sizeof(f.s), "%lldh%02lldm", s / 3600, s / 60 % 60);
    else
        snprintf(f.s, sizeof(f.s), "%lldd%lldh", s / 86400, s / 3600 % 24);
    return f;
}

struct fmt fmt_ns(int64_t ns)
{
    struct fmt f;
    if (ns == SNAP_UNKNOWN)
        return unknown();
    if (ns < 0)
        ns = 0;
    if (ns >= 120 * 1000000000LL)
        return long_time(ns / 1000000000LL);
    double s = (double)ns / 1e9;
    if (s >= 99.95)
        snprintf(f.s, sizeof(f.s), "%.0fs", s);
    else if (s >= 9.995)
        snprintf(f.s, sizeof(f.s), "%.1fs", s);
    else if (s >= 0.9995)
        snprintf(f.s, sizeof(f.s), "%.2fs", s);
    else if (s >= 0.00995)
        snprintf(f.s, sizeof(f.s), "%.0fms", s * 1e3);
    else if (s >= 0.0000995)
        snprintf(f.s, sizeof(f.s), "%.1fms", s * 1e3);
    else if (ns > 0)
        snprintf(f.s, sizeof(f.s), "%.0fus", ns < 1000 ? 1.0 : s * 1e6);
    else
        snprintf(f.s, sizeof(f.s), "0");
    return f;
}

static struct fmt scaled(int64_t n, double base, int64_t plain_below, const char *units)
{
    struct fmt f;
    if (n == SNAP_UNKNOWN)
        return unknown();
    if (n < plain_below && n > -plain_below) {
        snprintf(f.s, sizeof(f.s), "%lld", (long long)n);
        return f;
    }
    double v = (double)n / base;
    while (fabs(v) >= 999.5 && units[1]) {
        v /= base;
        units++;
    }
    snprintf(f.s, sizeof(f.s), fabs(v) < 9.95 ? "%.1f%c" : "%.0f%c", v, *units);
    return f;
}

struct fmt fmt_ago(int64_t ns)
{
    struct fmt f;
    if (ns == SNAP_UNKNOWN)
        return unknown();
    if (ns < 1000000000LL)
        snprintf(f.s, sizeof(f.s), "just now");
    else
        snprintf(f.s, sizeof(f.s), "%.20s ago", fmt_ns(ns).s);
    return f;
}

struct fmt fmt_count(int64_t n)
{
    return scaled(n, 1000, 100000, "kMGT");
}

struct fmt fmt_bytes(int64_t n)
{
    return scaled(n, 1024, 1000, "kMGT");
}

struct fmt fmt_percent(double ratio)
{
    struct fmt f;
    if (isnan(ratio))
        return unknown();
    snprintf(f.s, sizeof(f.s), "%.1f", ratio * 100);
    return f;
}

// The unit in which the number is at least 1: a rate of 0.001 a second says nothing to a person.
static struct fmt per_time(double per_s, const char *sign)
{
    struct fmt f;
    double v = fabs(per_s);
    const char *unit = "s";
    if (v < 1) {
        v *= 60;
        unit = "min";
    }
    if (v < 1) {
        v *= 60;
        unit = "h";
    }
    snprintf(f.s, sizeof(f.s), v < 9.95 && v - floor(v) > 0.05 ? "%s%.1f/%s" : "%s%.0f/%s", sign, v,
             unit);
    return f;
}

struct fmt fmt_growth(double per_s)
{
    if (isnan(per_s))
        return unknown();
    if (fabs(per_s) * 3600 < 0.5)
        return (struct fmt){"0"};
    return per_time(per_s, per_s > 0 ? "+" : "-");
}

struct fmt fmt_rate(double per_s)
{
    if (isnan(per_s))
        return unknown();
    if (fabs(per_s) * 3600 < 0.5)
        return (struct fmt){"0/s"};
    return per_time(per_s, per_s < 0 ? "-" : "");
}

static struct fmt clock_text(int64_t unix_ns, const char *format)
{
    struct fmt f;
    struct tm tm;
    time_t t = (time_t)(unix_ns / 1000000000LL);
    if (unix_ns == SNAP_UNKNOWN || !gmtime_r(&t, &tm) ||
        strftime(f.s, sizeof(f.s), format, &tm) == 0)
        return unknown();
    return f;
}

struct fmt fmt_clock(int64_t unix_ns)
{
    return clock_text(unix_ns, "%H:%M:%S");
}

struct fmt fmt_minute(int64_t unix_ns)
{
    return clock_text(unix_ns, "%H:%M");
}
