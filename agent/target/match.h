// Does a process match what was asked for?
#ifndef LOOPSCOPE_MATCH_H
#define LOOPSCOPE_MATCH_H

#include <stdbool.h>

bool match_name(int pid, const char *glob);   // comm, executable's or script's base name
bool match_cgroup(int pid, const char *path); // in it or below; with or without /sys/fs/cgroup
bool match_unit(int pid, const char *unit);   // systemd's; "nginx" is "nginx.service"
bool match_has_loop(int pid);                 // has an epoll or io_uring, or its main thread polls

#endif
