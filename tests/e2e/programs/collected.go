// What a look from outside must find: so much live at the last collection, so much allocated since.
//
//	collected exact        64 MiB, runtime.GC(), 32 MiB; every allocation is recorded
//	collected natural      collections come by themselves; then they are switched off
//	collected sampled      the same, one allocation in 512 KiB recorded
//	collected busy         four goroutines go on allocating
//
// A second argument is what it calls itself. Says "ready PROFILED MARKS", what its own heap profile says is live, and the number of collections; writes
// that profile into heap.pb.gz and heap.txt, and waits.
package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"time"
)

var old, fresh [][]byte
var churn [4][]byte

//go:noinline
func keepOld(n int) {
	for i := 0; i < n; i++ {
		old = append(old, make([]byte, 1<<16))
	}
}

//go:noinline
func keepFresh(n int) {
	for i := 0; i < n; i++ {
		fresh = append(fresh, make([]byte, 1<<16))
	}
}

func inlined(n int) []byte {
	return make([]byte, n)
}

func profiled() (live int64) {
	records := make([]runtime.MemProfileRecord, 4096)
	count, _ := runtime.MemProfile(records, true)
	for _, record := range records[:count] {
		live += record.InUseBytes()
	}
	return live
}

func write(name string, debug int) {
	file, err := os.Create(name)
	if err != nil {
		panic(err)
	}
	pprof.Lookup("heap").WriteTo(file, debug)
	file.Close()
}

func main() {
	mode := os.Args[1]
	if len(os.Args) > 2 {
		os.WriteFile("/proc/self/comm", []byte(os.Args[2]), 0)
	}
	if mode != "sampled" {
		runtime.MemProfileRate = 1
	}
	old = make([][]byte, 0, 4096)
	fresh = make([][]byte, 0, 4096)
	if mode == "exact" {
		debug.SetGCPercent(-1)
	}
	keepOld(1024)
	for i := 0; i < 100; i++ {
		churn[0] = inlined(1 << 16)
	}
	if mode == "exact" {
		runtime.GC()
	}
	keepFresh(512)
	if mode != "busy" {
		debug.SetGCPercent(-1)
	}
	for i := range churn {
		if mode == "busy" {
			go func(i int) {
				for {
					churn[i] = make([]byte, 1<<15)
				}
			}(i)
		}
	}
	time.Sleep(100 * time.Millisecond) // sweeping comes to its end
	write("heap.pb.gz", 0)
	write("heap.txt", 1)
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	fmt.Println("ready", profiled(), stats.NumGC)
	time.Sleep(time.Hour)
}
