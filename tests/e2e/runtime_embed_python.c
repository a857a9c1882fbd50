/* A program with Python in it, twice: the second interpreter is another one. Prints how many full collections each
   says it has made; each makes one more as it ends. */
void Py_InitializeEx(int handlers);
int Py_FinalizeEx(void);
int PyRun_SimpleString(const char *text);

int main(void)
{
    for (int i = 0; i < 2; i++) {
        Py_InitializeEx(0);
        PyRun_SimpleString("import gc\n"
                           "before = gc.get_stats()[2]['collections']\n"
                           "for i in range(5): gc.collect()\n"
                           "print(gc.get_stats()[2]['collections'] - before, flush=True)\n");
        if (Py_FinalizeEx() != 0)
            return 1;
    }
    return 0;
}
