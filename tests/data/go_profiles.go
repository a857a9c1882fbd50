// Writes go_old.pb.gz and go_new.pb.gz: heap profiles as Go makes them, to compare reports on.
//
//	GO111MODULE=off go run go_profiles.go
package main

import (
	"os"
	"runtime"
	"runtime/pprof"
)

type node struct {
	left, right *node
	pad         [40]byte
}

var kept [][]byte
var trees []*node
var table = map[int]string{}

//go:noinline
func grow(depth int) *node {
	if depth == 0 {
		return nil
	}
	return &node{left: grow(depth - 1), right: grow(depth - 1)}
}

//go:noinline
func leak(count int) {
	for i := 0; i < count; i++ {
		kept = append(kept, make([]byte, 1000+i%5000))
	}
}

//go:noinline
func fill(from, to int) {
	for i := from; i < to; i++ {
		table[i] = string(make([]byte, 100))
	}
}

//go:noinline
func shrink() {
	rest := make([][]byte, len(kept)/2)
	copy(rest, kept)
	kept = rest
}

func write(name string) {
	runtime.GC()
	runtime.GC()
	file, err := os.Create(name)
	if err != nil {
		panic(err)
	}
	defer file.Close()
	if err := pprof.Lookup("heap").WriteTo(file, 0); err != nil {
		panic(err)
	}
}

func main() {
	runtime.MemProfileRate = 512
	leak(3000)
	trees = append(trees, grow(12))
	fill(0, 2000)
	write("go_old.pb.gz")
	trees = append(trees, grow(10))
	fill(1000, 9000)
	shrink()
	for i := 0; i < 3; i++ {
		leak(500)
	}
	write("go_new.pb.gz")
}
