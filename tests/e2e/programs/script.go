// Work for a cgo program under the preload: C allocates, Go collects, both have threads.
package main

/*
#include <stdlib.h>
#include <string.h>

static void *volatile kept[1000];

__attribute__((noinline)) static void cgo_site(int i)
{
    kept[i] = malloc(64);
    memset(kept[i], i, 64);
}
*/
import "C"

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"unsafe"
)

func main() {
	for i := 0; i < 1000; i++ {
		C.cgo_site(C.int(i))
	}
	var group sync.WaitGroup
	var lock sync.Mutex
	total := 0
	for t := 0; t < 8; t++ {
		group.Add(1)
		go func(t int) {
			defer group.Done()
			for i := 0; i < 500; i++ {
				text := C.CString(fmt.Sprint(t, i))
				lock.Lock()
				total += len(C.GoString(text))
				lock.Unlock()
				C.free(unsafe.Pointer(text))
			}
		}(t)
	}
	group.Wait()
	for i := 0; i < 20*len(os.Args)*len(os.Args); i++ { // any argument makes it last longer
		_ = make([]byte, 1<<20)
		runtime.GC()
	}
	fmt.Println("total", total)
	os.Exit(6)
}
