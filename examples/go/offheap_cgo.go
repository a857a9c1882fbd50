//go:build cgo

package main

// #include <stdlib.h>
import "C"

import "unsafe"

// offHeap asks C's allocator: a preloaded library sees that, and who asked.
func offHeap(size int) []byte {
	return unsafe.Slice((*byte)(C.malloc(C.size_t(size))), size)
}
