// A service whose heap profile shows half of what it holds: the other half came after.
package main

import (
	"fmt"
	"os"
	"runtime"
	"runtime/pprof"
	"time"
)

var kept [][]byte

func hold(mebibytes int) {
	for i := 0; i < mebibytes; i++ {
		block := make([]byte, 1<<20)
		for at := range block {
			block[at] = byte(at)
		}
		kept = append(kept, block)
	}
}

func main() {
	hold(60)
	runtime.GC()
	runtime.GC()
	file, err := os.Create(os.Args[1])
	if err != nil {
		panic(err)
	}
	if err := pprof.WriteHeapProfile(file); err != nil {
		panic(err)
	}
	file.Close()
	hold(60)
	fmt.Println("ready")
	time.Sleep(time.Hour)
}
