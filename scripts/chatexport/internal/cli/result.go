package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// Result prints what came of a command: v for programs, or text for people.
func Result(w io.Writer, asJSON bool, v any, text string) error {
	if asJSON {
		return JSON(w, v)
	}
	return Print(w, text)
}

// JSON prints a result for programs.
func JSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return Printed(enc.Encode(v))
}

// Print prints a result for people.
func Print(w io.Writer, text string) error {
	return Printed(show(w, text))
}

// Printed is the error of a result that could not be printed.
func Printed(err error) error {
	if err == nil {
		return nil
	}
	return Service(fmt.Errorf("print the result: %w", err))
}

// Failed is the end of a command whose work failed with err: interrupted if that is why, else a service's failure. An
// error that has an exit code already keeps it.
func Failed(ctx context.Context, err error) error {
	if _, ok := errors.AsType[*ExitError](err); ok || err == nil {
		return err
	}
	if ctx.Err() != nil {
		return Interrupted(errors.New("interrupted"))
	}
	return Service(err)
}

// Closed adds the failure of closing something: it never hides how the command ended.
func Closed(err, failure error) error {
	if err != nil || failure == nil {
		return err
	}
	return Service(failure)
}
