// Package panics is for goroutines: a panic in one would end the whole process, and with it all that the others do.
//
// It owns how a panic becomes an error. It must never be used to go on as if nothing had happened: the error ends what
// was being done.
package panics

import (
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/rs/zerolog"
)

// Caught does work and turns a panic in it into an error that has the stack, for programs that print it to a person.
func Caught(work func() error) error {
	return catch(work, func(value any, stack []byte) error {
		return fmt.Errorf("panic, which is a fault of this program; please report it: %v\n%s", value, stack)
	})
}

// Logged does work and turns a panic in it into an error of one line. The stack goes to the log only: errors end up in
// states, results and reports.
func Logged(log zerolog.Logger, work func() error) error {
	return catch(work, func(value any, stack []byte) error {
		err := inLine(value)
		log.Error().Err(err).Bytes("stack", stack).Msg("panic")
		return err
	})
}

// Brief does work and turns a panic in it into an error of one line that says at what, for whoever has no log. The stack
// is lost.
func Brief(what string, work func() error) error {
	return catch(work, func(value any, _ []byte) error { return fmt.Errorf("%s: %w", what, inLine(value)) })
}

func inLine(value any) error {
	return fmt.Errorf("panic: %s", strings.Join(strings.Fields(fmt.Sprint(value)), " "))
}

func catch(work func() error, tell func(value any, stack []byte) error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = tell(r, debug.Stack())
		}
	}()
	return work()
}
