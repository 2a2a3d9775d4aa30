// Package panics is for goroutines: a panic in one would end the whole process, and with it all that the others do.
//
// It owns how a panic becomes an error. It must never be used to go on as if nothing had happened: the error ends what
// was being done.
package panics

import (
	"fmt"
	"runtime/debug"

	"github.com/rs/zerolog"
)

// Caught does work and turns a panic in it into an error that has the stack, for programs that print it to a person.
func Caught(work func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic, which is a fault of this program; please report it: %v\n%s", r, debug.Stack())
		}
	}()
	return work()
}

// Logged does work and turns a panic in it into an error of one line. The stack goes to the log only: errors end up in
// states, results and reports.
func Logged(log zerolog.Logger, work func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
			log.Error().Err(err).Bytes("stack", debug.Stack()).Msg("panic")
		}
	}()
	return work()
}
