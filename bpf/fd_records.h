// Descriptors: what the kernel side and user space share. Times are CLOCK_MONOTONIC nanoseconds.
#ifndef LOOPSCOPE_FD_RECORDS_H
#define LOOPSCOPE_FD_RECORDS_H

enum { LS_FD_NAME = 32, LS_FD_IDLE_UNKNOWN = 0xffffffffu };

// One open descriptor, as the inventory's iterator finds it.
struct ls_fd_row {
    unsigned long long file, inode, position; // file: the kernel's address, an identity and no more
    unsigned long long jiffies, now_ns;
    unsigned int fd, mode, flags;
    unsigned int idle_jiffies; // of TCP, since it last sent or received
    unsigned int unread;       // bytes received and not read, of TCP
    unsigned short family, type, protocol, state;
    unsigned short local_port, remote_port;
    unsigned char local[16], remote[16]; // IPv4 in the first four
    char name[LS_FD_NAME];               // of the directory entry: a file's name, "[eventfd]"
};

enum {
    LS_FD_KEYS = 16384,   // opening keys; 0: not known
    LS_FD_KEY_SHIFT = 48, // of a slot's word; below it the file's address
    LS_FD_STACK = 16384,  // bytes copied at most
    LS_FD_RANGES = 12,    // of executable memory
    LS_FD_FRAMES = 8,     // language frames taken at the call
};

// One descriptor's slot in mapped memory.
struct ls_fd_slot {
    unsigned long long word; // key << 48 | file: changed together, by compare and swap
    unsigned long long opened_ns;
    unsigned int tid, nr;
    unsigned long long task; // that ran on this thread's loop; 0 none, or not known
    unsigned int site, pad;  // where it was spawned
    unsigned long long told; // == word: what lies above is this word's
};

struct ls_fd_counts { // of a key
    unsigned long long opened, closed;
};

struct ls_fd_frame { // of a language that keeps its frames on its heap
    unsigned long long code, instr;
};

// The first opening of a key; stack_len bytes follow.
struct ls_fd_opening {
    unsigned int key, tid, fd, nr;
    unsigned int stack_len, nframes;
    struct ls_fd_frame frames[LS_FD_FRAMES];
    unsigned long long regs[21]; // in the order of struct ls_regs
};

// A handle of libuv that is open.
struct ls_handle {
    unsigned long long opened_ns;
    unsigned int key, type, tid, pad;
};

#define LS_HANDLE_CALL 0x8000u // where a system call's number stands for descriptors

// Where a thread's loop says which of its tasks runs: addresses within the program, and what to read there.
struct ls_fd_tasks {
    unsigned long long current;        // of the id of the task that runs; its low bits are its slot
    unsigned long long slots;          // of the array of tasks
    unsigned int slot_size, slot_mask; // bytes; of an id
    unsigned int id_at, site_at;       // offsets in a slot: 8 and 4 bytes
};

// How to read a thread's frames: offsets within the language's structs, -1 not there.
struct ls_fd_place {
    int known, cframe, frame, current, previous, code, instr;
};

#endif
