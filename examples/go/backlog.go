// A service that takes in more and more, and whose heap profile says half of it: the story is in ../README.md.
//
//	backlog [--pointers | --ints | --offheap] [--mib N] [--seconds S]
//
// --pointers keeps each record as an object that points at the one before it, --ints keeps them in arrays of
// numbers that the collector need not look into, --offheap in memory that it does not know of: mmap'd, or malloc'd by C
// when this is built with cgo. It takes in N MiB (400), writes heap.txt as /debug/pprof/heap?debug=1 would serve it, and
// then answers requests for S seconds (10), each of which makes some garbage.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"time"
)

const (
	recordBytes = 64
	chunkBytes  = 1 << 20
)

type record struct {
	before *record
	fields [7]int64
}

// table is what the service holds, in one of three ways.
type table struct {
	last   *record
	ints   [][]int64
	chunks [][]byte
	count  int64
}

func (t *table) takePointers() {
	for i := 0; i < chunkBytes/recordBytes; i++ {
		t.last = &record{before: t.last, fields: [7]int64{t.count}}
		t.count++
	}
}

func (t *table) takeInts() {
	numbers := make([]int64, chunkBytes/8)
	for i := 0; i < len(numbers); i += recordBytes / 8 {
		numbers[i] = t.count
		t.count++
	}
	t.ints = append(t.ints, numbers)
}

func (t *table) takeOffHeap() {
	chunk := offHeap(chunkBytes)
	for i := 0; i < len(chunk); i += recordBytes {
		chunk[i] = byte(t.count)
		t.count++
	}
	t.chunks = append(t.chunks, chunk)
}

// answer is a request: what it allocates is garbage when it returns.
func answer(request int) int {
	words := make([]*int, 256)
	for i := range words {
		word := request + i
		words[i] = &word
	}
	return *words[request%len(words)]
}

func writeProfile(path string) {
	file, err := os.Create(path)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer file.Close()
	pprof.Lookup("heap").WriteTo(file, 1)
}

func serve(seconds int) (answers int) {
	end := time.Now().Add(time.Duration(seconds) * time.Second)
	for time.Now().Before(end) {
		for i := 0; i < 1000; i++ {
			answer(answers)
			answers++
		}
	}
	return answers
}

func measure(seconds int) {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	answers := serve(seconds)
	runtime.ReadMemStats(&after)
	fmt.Printf("%d answers a second; %d collections, %.1f %% of the processors' time since the start\n",
		answers/seconds, after.NumGC-before.NumGC, 100*after.GCCPUFraction)
}

func main() {
	pointers := flag.Bool("pointers", false, "objects with pointers (the default)")
	ints := flag.Bool("ints", false, "arrays of numbers")
	outside := flag.Bool("offheap", false, "memory that the collector does not know of")
	mebibytes := flag.Int("mib", 400, "how much to take in, in `MiB`")
	seconds := flag.Int("seconds", 10, "how long to serve")
	flag.Parse()
	var held table
	take := held.takePointers
	if *ints && !*pointers {
		take = held.takeInts
	} else if *outside && !*pointers {
		take = held.takeOffHeap
	}
	for i := 0; i < *mebibytes; i++ {
		take()
	}
	writeProfile("heap.txt")
	fmt.Printf("holding %d records, pid %d\n", held.count, os.Getpid())
	if *seconds > 0 {
		time.Sleep(time.Duration(*seconds) * time.Second) // at rest: time to look
		measure(*seconds)
	}
	runtime.KeepAlive(&held)
}
