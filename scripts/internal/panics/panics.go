// Package panics is for goroutines: a panic in one would end the whole program before it has closed and said anything.
package panics

import (
	"fmt"
	"runtime/debug"
)

// Caught does work and turns a panic in it into an error.
func Caught(work func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic, which is a fault of this program; please report it: %v\n%s", r, debug.Stack())
		}
	}()
	return work()
}
