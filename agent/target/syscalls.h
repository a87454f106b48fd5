// x86-64's system calls: names, and what their arguments mean to a person.
#ifndef LOOPSCOPE_SYSCALLS_H
#define LOOPSCOPE_SYSCALLS_H

#include <stdbool.h>

const char *syscall_name(long nr); // "syscall_N" never: NULL for one we do not know
int syscall_fd_arg(long nr);       // which argument is a descriptor; -1 none
int syscall_path_arg(long nr);     // which argument points to a path; -1 none
int syscall_address_arg(long nr); // which points to a socket address, its length being the next; -1
bool syscall_writes(long nr);     // what it waits for is to get data out

#endif
