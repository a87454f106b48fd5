// Numbers as a person reads them, in few columns. Unknown (SNAP_UNKNOWN, NAN) is "-", never 0.
#ifndef LOOPSCOPE_TUI_FORMAT_H
#define LOOPSCOPE_TUI_FORMAT_H

#include <stdint.h>

struct fmt { // returned by value: fmt_ns(x).s lives to the end of the full expression
    char s[32];
};

struct fmt fmt_ns(int64_t ns);          // 85us 0.4ms 41ms 2.31s 12.3s 18m 2h14m 3d2h
struct fmt fmt_ago(int64_t ns);         // just now, 2.31s ago
struct fmt fmt_count(int64_t n);        // 1204 41k 1.2M
struct fmt fmt_bytes(int64_t n);        // 612 1.1k 48M
struct fmt fmt_percent(double ratio);   // 97.2, without the sign
struct fmt fmt_growth(double per_s);    // +10/min -3/h 0
struct fmt fmt_rate(double per_s);      // 210/s 3/min
struct fmt fmt_clock(int64_t unix_ns);  // 14:02:31 (UTC)
struct fmt fmt_minute(int64_t unix_ns); // 14:02 (UTC)

#endif
