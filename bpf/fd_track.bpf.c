// Follows who opens and closes the descriptors of one process.
//
//   slots   the table, and how a slot is kept equal to the kernel's
//   key     what tells one opening stack from another
//   calls   which system calls make and end descriptors
#include "fd_calls.bpf.h"

char LICENSE[] SEC("license") = "Dual MIT/GPL";
