// Reading another process's memory within a time bound.
//
// process_vm_readv() takes the target's mmap lock. A target stuck in the kernel while it holds that lock
// for writing would hang the reader with it: so the call is made by a thread of its own, which is left to
// its fate when it does not answer in time.
#ifndef LOOPSCOPE_PROBE_READER_H
#define LOOPSCOPE_PROBE_READER_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct reader;

int reader_open(struct reader **ret);
void reader_close(struct reader *r);

// Bytes read (fewer than asked at the end of a mapping), or -errno: -ETIMEDOUT when the process did not
// let itself be read within patience_ns, -EBUSY when too many such reads hang already.
ssize_t reader_read(struct reader *r, int pid, uint64_t address, void *to, size_t len,
                    int64_t patience_ns);

#endif
