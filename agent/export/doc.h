// Pieces of the one JSON document of cli.md, shared by whoever writes JSON.
#ifndef LOOPSCOPE_EXPORT_DOC_H
#define LOOPSCOPE_EXPORT_DOC_H

#include "export.h"
#include "json.h"

#define SCHEMA_NAME "loopscope/1"

// The document as one JSON value at j's present place.
void json_document(struct json *j, const char *key, const struct snap *s,
                   const struct export_opts *o);
void json_finding(struct json *j, const char *key, const struct finding *f);
void json_cause(struct json *j, const char *key, const struct cause *c);
void json_task_ref(struct json *j, const char *key, const struct task_ref *t);
void json_frame(struct json *j, const struct frame *f, bool culprit);
void json_stack(struct json *j, const char *key, const struct stack *st);
const char *stack_id(const struct stack *st); // NULL when there is none

// The stacks that the chosen parts of a snapshot refer to, sorted by id, each once.
struct stack_set {
    int n, cap;
    const struct stack **stacks;
};
void stack_set_add(struct stack_set *set, const struct stack *st); // NULL is fine
void stack_set_finding(struct stack_set *set, const struct finding *f);
void stack_set_snap(struct stack_set *set, const struct snap *s, unsigned parts);
void stack_set_sort(struct stack_set *set);
void stack_set_finish(struct stack_set *set);

#endif
