// A cgo program with known blocks of C's by two goroutines, and a known number of collections. Says
// "collections N" at its end.
package main

/*
#include <stdlib.h>
#include <string.h>

static void *volatile kept[4096];
static int count;

__attribute__((noinline)) static void hold_in_c(int bytes)
{
    kept[count] = malloc(bytes);
    memset(kept[count++], 1, bytes);
}
*/
import "C"

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"time"
)

//go:noinline
func deep(levels int) {
	if levels > 0 {
		deep(levels - 1)
		return
	}
	for i := 0; i < 1000; i++ {
		C.hold_in_c(1000)
	}
}

//go:noinline
func inGoroutine(done chan bool) {
	for i := 0; i < 500; i++ {
		C.hold_in_c(3000)
	}
	done <- true
}

func main() {
	debug.SetGCPercent(-1)
	deep(3)
	runtime.GC()
	done := make(chan bool)
	go inGoroutine(done)
	<-done
	for i := 0; i < 4; i++ {
		time.Sleep(20 * time.Millisecond)
		runtime.GC()
	}
	time.Sleep(20 * time.Millisecond)
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	fmt.Println("collections", stats.NumGC)
	os.Exit(3)
}
