// Circular doubly-linked list: the head is a node. A zeroed head is an empty list, a zeroed node one in no list.
#ifndef LS_LIST_H
#define LS_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next, *prev;
};

#define list_entry(node, type, member) ((type *)((char *)(node)-offsetof(type, member)))
#define list_for_each(node, head)                                                                  \
    for (struct list *node = (head)->next; node && node != (head); node = node->next)

static inline void list_init(struct list *l)
{
    l->next = l->prev = l;
}

static inline bool list_empty(const struct list *l)
{
    return !l->next || l->next == l;
}

static inline struct list *list_first(const struct list *l) // NULL when empty
{
    return l->next == l ? NULL : l->next;
}

static inline bool list_linked(const struct list *node)
{
    return node->next != NULL;
}

static inline void list_append(struct list *head, struct list *node) // the head is not zeroed
{
    struct list *last = head->prev;
    node->prev = last;
    node->next = head;
    last->next = node;
    head->prev = node;
}

static inline void list_add_tail(struct list *head, struct list *node)
{
    if (__builtin_expect(!head->next, 0))
        list_init(head);
    list_append(head, node);
}

static inline void list_add_head(struct list *head, struct list *node)
{
    if (!head->next)
        list_init(head);
    node->next = head->next;
    node->prev = head;
    head->next->prev = node;
    head->next = node;
}

static inline void list_unlink(struct list *node) // leaves its pointers as they are
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
}

static inline void list_del(struct list *node) // fine when it is in no list
{
    if (!node->next)
        return;
    list_unlink(node);
    node->next = node->prev = NULL;
}

static inline struct list *list_pop(struct list *head) // NULL when empty
{
    struct list *node = list_first(head);
    if (node)
        list_del(node);
    return node;
}

// Moves everything from `from` to the end of `to`.
static inline void list_splice(struct list *to, struct list *from)
{
    if (list_empty(from))
        return;
    if (!to->next)
        list_init(to);
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    list_init(from);
}

#endif
