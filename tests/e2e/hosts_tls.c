/* A library with thread-local variables of the fast kind, for which a process has little room after its start. */
enum { WORDS = 40 };

int *own_number(void);

static __attribute__((tls_model("initial-exec"))) __thread int numbers[WORDS] = {1, 2, 3, 7};

int *own_number(void)
{
    return &numbers[3];
}
