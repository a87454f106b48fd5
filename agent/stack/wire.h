// Messages between agent and helper, over one SOCK_SEQPACKET pair. A message is a header and a body that
// may be cut into several packets (an answer with 100 000 tasks does not fit one); descriptors travel
// with the first. Both ends are this program, but the helper may have been taken over: whoever reads on
// the agent's side checks every length (struct reader) and trusts no pointer.
#ifndef LOOPSCOPE_STACK_WIRE_H
#define LOOPSCOPE_STACK_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum message_kind {
    // agent to helper
    MESSAGE_ADD,      // struct add_body + descriptors of memory, maps
    MESSAGE_REMOVE,   // pid
    MESSAGE_PRELOAD,  // pid: open modules, attach walkers; answered
    MESSAGE_STACK,    // struct stack_body + stack (or a descriptor of it); answered
    MESSAGE_IDENTIFY, // pid; answered
    MESSAGE_TASKS,    // struct tasks_body; answered
    MESSAGE_FILE,     // the answer to MESSAGE_NEED: int32 error + descriptor
    // helper to agent
    MESSAGE_NEED,   // struct file_wish
    MESSAGE_ANSWER, // of the same id
};

#define WIRE_FDS 2
#define WIRE_MAX (256u << 20) // of a body

struct message {
    uint32_t kind, id;
    uint8_t *body; // malloc'd by wire_receive; the receiver frees
    size_t size;
    int nfds;
    int fds[WIRE_FDS]; // owned by the receiver
};

// Assembles a message out of packets; zero it to begin.
struct wire {
    int fd;
    struct message partial;
    size_t have;
};

int wire_send(struct wire *w, const struct message *m);
// 1: a whole message; 0: not yet (only when the socket does not block); -errno, -EPIPE: the other is gone.
int wire_receive(struct wire *w, struct message *ret);
void wire_reset(struct wire *w);      // drops a partial message
void message_free(struct message *m); // body and descriptors

// Grows as it is written to. Out of memory: failed, and everything after is dropped.
struct writer {
    uint8_t *data;
    size_t len, cap;
    bool failed;
};
void put_bytes(struct writer *w, const void *data, size_t n);
void put_u32(struct writer *w, uint32_t v);
void put_u64(struct writer *w, uint64_t v);
void put_text(struct writer *w, const char *text); // NULL stays NULL
void writer_free(struct writer *w);

// Reads what a writer wrote. Past the end or malformed: bad, and everything reads as 0 or NULL.
struct reader {
    const uint8_t *at, *end;
    bool bad;
};
void get_bytes(struct reader *r, void *data, size_t n);
uint32_t get_u32(struct reader *r);
uint64_t get_u64(struct reader *r);
const char *get_text(struct reader *r); // lies in the message

#endif
