// C++ and Rust names as people write them.
#ifndef LOOPSCOPE_STACK_DEMANGLE_H
#define LOOPSCOPE_STACK_DEMANGLE_H

// "_ZN4node3FooEi" -> "node::Foo"; what is not mangled comes back as it is. Lives as long as the arena.
struct arena;
const char *demangle(struct arena *a, const char *name);

#endif
