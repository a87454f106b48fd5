// Follows who opens and closes the descriptors of one process.
//
//   slots   the table, and how a slot is kept equal to the kernel's
//   key     what tells one opening stack from another
//   task    which task of the program's runtime it was
//   events  whose table is followed; exec, io_uring, and what was there before
//   install the kernel's functions that make and end descriptors, by fexit
//   handles libuv's, by uprobes
//   calls   the system calls that do, by their return: where fexit is refused
#include "fd_calls.bpf.h"
#include "fd_handles.bpf.h"
#include "fd_install.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";
