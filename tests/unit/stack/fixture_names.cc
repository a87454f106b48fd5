// C++ names on a stack: a namespace, a template, a virtual method, a lambda.
#include <cstdlib>
#include <unistd.h>

namespace shop
{
static volatile unsigned long sink;

struct handler {
    virtual ~handler() = default;
    virtual void handle(int n) = 0;
};

template <typename T> struct worker : handler {
    __attribute__((noinline)) void handle(int n) override
    {
        sink += n;
        if (write(1, "ready\n", 6) != 6)
            exit(1);
        for (;;)
            pause();
    }
};

__attribute__((noinline)) void serve(handler &h)
{
    auto call = [&](int n) __attribute__((noinline))
    {
        h.handle(n);
        sink++;
    };
    call(1);
    sink++;
}
} // namespace shop

int main()
{
    shop::worker<long> w;
    shop::serve(w);
    return 0;
}
