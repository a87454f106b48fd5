// The live table: how a program on the loopscope runtime shows its tasks to an outside reader.
//
// WHERE. The runtime maps one memfd named LS_ABI_NAME; readers find it in /proc/PID/maps as
// "/memfd:loopscope-tasks (deleted)". A process may hold several tables (two copies of the library); each is complete in
// itself. The runtime keeps the descriptor open (ls_abi_header.fd), so a reader may also open /proc/PID/fd/N. The file never
// changes size (sealed against shrink and grow).
//
// HOW TO READ. Only with pread(2) or process_vm_readv(2), never by mmap: and never past the `used` figures, because reading
// a hole through the target's mapping would allocate memory in it.
//   1. Read the header; check magic, version, header_size, pid. The pid differs in a forked child that has not made its own
//      table yet: skip it.
//   2. Every offset, count and size is hostile until it is checked against the size of the mapping and the limits
//      LS_ABI_MAX_*. Read at most that much.
//   3. A record counts only if its `seq` is even and the same in two separate reads that bracket the bytes in between (or:
//      read the whole record twice, compare `seq`). A slot whose id is 0 is free.
//   4. Strings are at offsets into the string area, NUL-terminated inside it or cut at its end.
//   5. Nothing is ever written by a reader.
// In version 1 fields are only appended: use slot_size, loop_size, site_size as strides, and treat what lies beyond the size
// that you know as unknown.
//
// Some fields are stored one by one, without `seq`: each is whole, but may be newer than the rest. Of a task these are the word
// {state, wait, flags, await_site} when it yields, is woken, resumed or ends; steps, resumed_ns, busy_ns; cancel_ns,
// deadline_ns; and id, which becomes 0 when the task is gone (the rest of the slot then means nothing). A park (word and
// wait_object together), a name and a new task in the slot are written under `seq`. Of a loop it is all totals.
//
// ORDER. The writer is the loop's own thread (one writer a record): seq odd, fence, plain stores, release store of seq even.
// On x86-64 that is plain stores; on aarch64 a reader needs an acquire fence between its reads (process_vm_readv and pread
// give it).
//
// UNITS. *_ns on CLOCK_MONOTONIC, in nanoseconds. Events carry ticks of the CPU's counter; see ticks_*. A time of 0 means
// "not yet" or "none", an id of 0 "none".
//
// WATCHING. The event ring and complete busy times are written only while somebody watches. To watch, a reader opens the memfd
// read-only (/proc/PID/fd/N or /proc/PID/map_files/...) and holds a shared open-file-description lock (fcntl F_OFD_SETLK,
// F_RDLCK) on the byte LS_ABI_WATCH_BYTE. The runtime looks for it every 100 ms in which it runs. The lock goes with the
// reader, however that ends.
//
// Tasks whose last 64 steps were each shorter than 200 ns, and new tasks of a spawn site of which that is true, may have up
// to 32 of these, one after another, timed together: their time is divided equally, and their events bear the ticks of the
// reading before them. Should any of them be long after all, its time is spread over the tasks of these switch events of
// equal ticks, once; all other steps are timed from their beginning to their end. The sum over all tasks is always exact,
// but for the last step of each, which is told by the events only.
#ifndef LOOPSCOPE_ABI_H
#define LOOPSCOPE_ABI_H

#include <stdint.h>

#define LS_ABI_NAME    "loopscope-tasks"
#define LS_ABI_MAGIC   0x31534c5441534bULL // "KSATLS1" in little endian
#define LS_ABI_VERSION 1

// A reader may refuse a table that claims more than this.
#define LS_ABI_MAX_SLOTS   (1u << 24)
#define LS_ABI_MAX_LOOPS   4096u
#define LS_ABI_MAX_SITES   (1u << 20)
#define LS_ABI_MAX_STRINGS (64u << 20)
#define LS_ABI_MAX_RING    (1u << 20)
#define LS_ABI_WATCH_BYTE  (1LL << 40)

// A task id: the low LS_ABI_SLOT_BITS bits are the slot, the rest counts the uses of that slot.
// Ids are never reused; they are positive as int64_t.
#define LS_ABI_SLOT_BITS   24
#define LS_ABI_SLOT_OF(id) ((uint32_t)((id) & ((1u << LS_ABI_SLOT_BITS) - 1)))

enum ls_abi_arch { LS_ABI_ARCH_UCONTEXT = 0, LS_ABI_ARCH_X86_64 = 1, LS_ABI_ARCH_AARCH64 = 2 };

// What keeps a task from running over the end of its stack.
enum ls_abi_guard {
    LS_ABI_GUARD_UNKNOWN = 0,
    LS_ABI_GUARD_MADVISE = 1,  // MADV_GUARD_INSTALL: every stack
    LS_ABI_GUARD_MPROTECT = 2, // a PROT_NONE page: every stack so far
    LS_ABI_GUARD_CANARY = 3,   // some stacks have only a canary, looked at when the task suspends
};

struct ls_abi_header {    // at offset 0
    uint64_t magic;       // written last: a table without it is being made
    uint32_t version;     // LS_ABI_VERSION
    uint32_t header_size; // bytes of this struct
    int32_t pid;          // that made the table
    int32_t fd;           // the memfd in that process; -1 when closed
    uint64_t start_time;  // field 22 of /proc/PID/stat (clock ticks since boot)
    uint64_t total_size;  // bytes of the memfd

    uint64_t loops_offset; // array of struct ls_abi_loop
    uint32_t loop_size, loops_capacity;
    uint64_t slots_offset; // array of struct ls_abi_task
    uint32_t slot_size, slots_capacity;
    uint64_t sites_offset; // array of struct ls_abi_site; site 0 is "unknown"
    uint32_t site_size, sites_capacity;
    uint64_t strings_offset; // bytes
    uint32_t strings_capacity;
    uint32_t ring_records; // capacity of each loop's ring, a power of two
    uint64_t
        rings_offset; // ring of loop i at rings_offset + i * ring_records * sizeof(ls_abi_event)

    // These rise; read them last before the arrays that they bound. Written with release order.
    uint32_t loops_used, slots_used, sites_used, strings_used;
    uint32_t sites_lost;  // sites that found the table full (their tasks show site 0)
    uint32_t arch;        // enum ls_abi_arch: layout of a saved context, below
    uint32_t stack_size;  // bytes of a task's stack, guard included
    uint32_t stack_guard; // enum ls_abi_guard: the weakest in use

    // ns = ticks_ns + ((ticks - ticks_ref) * ticks_mult >> 32) in 128 bits, refined while the program runs;
    // under ticks_seq.
    uint32_t ticks_seq;
    uint32_t reserved;
    uint64_t ticks_ref, ticks_ns, ticks_mult;

    // The newest call of the runtime from a thread that it does not belong to; under wrong_seq.
    uint32_t wrong_seq;
    int32_t wrong_tid;    // the calling thread
    uint64_t wrong_calls; // ever
    uint64_t wrong_ns;    // when
    uint32_t wrong_name;  // offset of the function's name in the strings
    uint32_t wrong_site;  // where it was called; 0 unknown
    uint32_t wrong_loop;  // index of the loop that the object belongs to, LS_ABI_NO_LOOP unknown
    uint32_t reserved2;
};

#define LS_ABI_NO_LOOP UINT32_MAX

// One loop, that is one thread that runs tasks. A loop that has ended keeps its record with tid 0.
struct ls_abi_loop {
    uint32_t seq;
    int32_t tid;            // 0: ended
    uint64_t current;       // id of the task that runs now; 0 none. Stored alone: no seq needed
    uint64_t busy_since_ns; // when the loop returned from its wait; 0 while it waits
    uint64_t iteration;     // turns of the loop so far
    uint64_t address;       // of the uv_loop_t
    uint32_t flags;         // enum ls_abi_loop_flag
    uint32_t ready;         // tasks that still waited for theirs when the last turn was over
    char name[16];

    // Totals since the loop began. Each is stored alone.
    uint64_t created, started, completed, failed, cancelled; // completed: ended with a value
    uint64_t detached, orphaned, never_awaited, errors_unread, left_children, cancel_late;
    uint64_t switches; // updated at least once a turn
    uint64_t timers_armed, spawn_failed, misuse;
    uint64_t live, stacks; // now
    uint64_t ring_head;    // events ever written: event i is at index i & (ring_records - 1)

    // Where the program's own memory has the loop's counts by spawn site: an array of struct ls_abi_site_stats,
    // by site id, of sites_used entries. Read with process_vm_readv, or by /proc/PID/mem. 0: none.
    uint64_t stats_address;
    uint32_t stats_size; // stride
    uint32_t reserved2;
    uint64_t reserved[4];
};

// What became of the tasks of one spawn site, since the loop began. Each is stored alone.
struct ls_abi_site_stats {
    uint64_t created, completed, failed, cancelled;
    int64_t sum_ns, max_ns; // from created to ended
    uint64_t buckets; // address of LS_ABI_SITE_BUCKETS uint32_t, durations above 0; 0: none yet
    uint32_t never_awaited, errors_unread, orphaned;
    int32_t last_error; // negative errno of the newest failure
};

// Durations lie in buckets, eight an octave: bucket 0 is below 4096 ns; the limit of bucket b > 0 is
// (8 + (b - 1) % 8 + 1) << ((b - 1) / 8 + 9).
#define LS_ABI_SITE_BUCKETS 256

enum ls_abi_loop_flag {
    LS_ABI_LOOP_WATCHED = 1 << 0, // the event ring is being written, all steps are timed
    LS_ABI_LOOP_DEBUG = 1 << 1,
    LS_ABI_LOOP_ATTACHED = 1 << 2, // on a uv_loop_t of the program's own
    LS_ABI_LOOP_CLOSING = 1 << 3,
};

enum ls_abi_state {
    LS_ABI_FREE = 0,
    LS_ABI_NEW = 1,   // created, has not run
    LS_ABI_READY = 2, // waits for its turn
    LS_ABI_RUNNING = 3,
    LS_ABI_WAITING = 4,   // parked at await_site, for `wait` on wait_object
    LS_ABI_ENDING = 5,    // function has returned: runs its clean-up, waits for its children
    LS_ABI_DONE = 6,      // ended with a value, not awaited yet
    LS_ABI_FAILED = 7,    // ended with an error, not awaited yet
    LS_ABI_CANCELLED = 8, // ended with -ECANCELED after a cancel, not awaited yet
};

// What a task waits for; wait_object says which one.
enum ls_abi_wait {
    LS_ABI_WAIT_NONE = 0,
    LS_ABI_WAIT_TASK = 1,     // object: id of the task
    LS_ABI_WAIT_GROUP = 2,    // address of the group: for its children
    LS_ABI_WAIT_LIMIT = 3,    // address of the group: for its limit
    LS_ABI_WAIT_CHILDREN = 4, // own id: ended with children alive
    LS_ABI_WAIT_SLEEP = 5,    // wake-up time in ns
    LS_ABI_WAIT_YIELD = 6,    // its next turn
    LS_ABI_WAIT_SEM =
        7, // address of 8 bytes in the target: the id of the task that has its only permit; 0
           // where it has more, or is given by others than those who took it
    LS_ABI_WAIT_MUTEX = 8, // address of 8 bytes in the target: the id of the task that holds it
    LS_ABI_WAIT_EVENT = 9, // address, so are the next three
    LS_ABI_WAIT_COND = 10,
    LS_ABI_WAIT_CHAN_SEND = 11,
    LS_ABI_WAIT_CHAN_RECV = 12,
    LS_ABI_WAIT_SELECT = 13, // address of the first channel
    LS_ABI_WAIT_READ = 14,   // descriptor, so are the next five
    LS_ABI_WAIT_WRITE = 15,
    LS_ABI_WAIT_CONNECT = 16,
    LS_ABI_WAIT_ACCEPT = 17,
    LS_ABI_WAIT_SHUTDOWN = 18,
    LS_ABI_WAIT_POLL = 19,
    LS_ABI_WAIT_FILE = 20, // descriptor, or 0
    LS_ABI_WAIT_DNS = 21,
    LS_ABI_WAIT_PROCESS = 22, // pid
    LS_ABI_WAIT_SIGNAL = 23,  // signal number
    LS_ABI_WAIT_OFFLOAD = 24, // address of the job
    LS_ABI_WAIT_BUS = 25,     // address of the subscription
    LS_ABI_WAIT_CLOSE = 26,   // descriptor or address of the handle
    LS_ABI_WAIT_OTHER = 27,   // of a kind added by the program
};

enum ls_abi_flag {
    LS_ABI_CANCEL_REQUESTED = 1 << 0, // cancel_ns says since when
    LS_ABI_SHIELDED = 1 << 1,
    LS_ABI_DETACHED = 1 << 2,
    LS_ABI_ORPHANED = 1 << 3,   // its parent's function returned without it
    LS_ABI_TIMED_OUT = 1 << 4,  // a deadline over it has passed, or a wait for its end was given up
    LS_ABI_IN_GROUP = 1 << 5,   // owned by a group, not awaited one by one
    LS_ABI_AWAITED = 1 << 6,    // somebody waits for it now
    LS_ABI_ROOT = 1 << 7,       // the main task, or spawned outside any task
    LS_ABI_IN_CLEANUP = 1 << 8, // runs its deferred clean-up
    LS_ABI_SYSTEM = 1 << 9,     // the runtime's own
};

struct ls_abi_task { // one slot, 128 bytes
    uint32_t seq;
    uint32_t loop;        // index of its loop's record
    uint64_t id;          // 0: the slot is free
    uint8_t state;        // enum ls_abi_state
    uint8_t wait;         // enum ls_abi_wait, while WAITING or ENDING
    uint16_t flags;       // enum ls_abi_flag
    uint32_t await_site;  // where it last awaited
    uint64_t wait_object; // while `wait` is neither NONE nor YIELD
    uint64_t steps;       // times it was resumed
    uint64_t resumed_ns;  // when last: at the newest reading of the clock, a turn's unless watched
    uint64_t parent;      // id of the task that spawned it; 0 none. May have ended
    uint64_t
        busy_ns; // on the CPU or blocking the loop, in finished steps: of all steps while watched (short ones are
    // timed together, below), else of the first steps of each turn only, so a lower bound
    uint64_t created_ns;
    uint64_t deadline_ns; // of the innermost deadline over it; 0 none
    uint32_t spawn_site;
    int32_t error;      // negative errno that it ended with; 0 none
    uint64_t context;   // address in the target of the saved context, below
    uint64_t cancel_ns; // first cancel request; 0 none
    char name[24];      // "" when not named: take the label of the spawn site
};

// A saved context. While a task is not RUNNING the 8 bytes at `context` are its saved stack pointer
// sp, and there lie
//   x86-64:  rbp, then the pc; the rsp to go on with is sp + 16. The other registers are in the frame (CFI tells where)
//   aarch64: x19 .. x30, then d8 .. d15 (8 bytes each); pc is x30, the caller's sp is sp + 160
// The stack of the task lies below `context`, at most stack_size long. Unwinding ends at the task's
// entry. With LS_ABI_ARCH_UCONTEXT the saved registers cannot be read.

struct ls_abi_site {
    uint32_t file, function,
        label; // offsets into the strings; label: what is spawned, "" when nothing
    uint32_t line;
};

enum ls_abi_event_kind {
    LS_ABI_EV_SWITCH =
        1, // a suspended at site with wait w (0: ended), b resumed; either may be 0 (the loop)
    LS_ABI_EV_CREATED = 2,   // a, by b, at site
    LS_ABI_EV_STARTED = 3,   // a
    LS_ABI_EV_ENDED = 4,     // a; b: its result as int64
    LS_ABI_EV_CANCEL = 5,    // a was asked to cancel, by b
    LS_ABI_EV_AWAITED = 6,   // a's result was taken by b at site
    LS_ABI_EV_ORPHANED = 7,  // a
    LS_ABI_EV_DETACHED = 8,  // a
    LS_ABI_EV_TIMED_OUT = 9, // a
};

// One event of a ring. The ring is overwritten, never waited for: a reader reads ring_head (head1),
// copies the records, reads ring_head again (head2) and drops every event with a number below head2
// + 1 - ring_records; what it misses so is its count of drops.
struct ls_abi_event {
    uint64_t ticks;
    uint64_t a, b;
    uint32_t site;
    uint8_t kind; // enum ls_abi_event_kind
    uint8_t wait; // enum ls_abi_wait
    uint16_t reserved;
};

#endif
