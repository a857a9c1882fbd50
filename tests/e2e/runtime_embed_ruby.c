/* A program with Ruby in it. */
#include <stddef.h>
#include <stdint.h>

void ruby_init(void);
void *ruby_options(int count, char **arguments);
uintptr_t rb_eval_string_protect(const char *text, int *state);
int ruby_cleanup(int status);

int main(void)
{
    static char name[] = "embedded", option[] = "-e", nothing[] = "nil";
    char *arguments[] = {name, option, nothing, NULL};
    int state = 0;
    ruby_init();
    ruby_options(3, arguments);
    rb_eval_string_protect("GC.disable; 5.times { GC.start }; puts GC.stat(:major_gc_count)",
                           &state);
    return ruby_cleanup(state);
}
