// Package cli is what all commands of the command line share: exit codes, progress, and the form of their output.
//
// It must never know what a command does, write to anything but the writers it is given, or let text from outside into a
// colour.
package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// Exit codes of every command.
const (
	CodeGood        = 0
	CodeWrong       = 1
	CodeUsage       = 2
	CodeService     = 3
	CodeInterrupted = 130 // what shells use for SIGINT
)

// ExitCodes is the part of every help text that tells them.
const ExitCodes = `Exit codes: 0 good, 1 something is wrong, 2 usage or configuration, 3 a service failed, 130 interrupted.`

// ExitError is the end of a command with a certain exit code.
type ExitError struct {
	Code int
	Err  error
}

// Error is the cause's text.
func (e *ExitError) Error() string { return e.Err.Error() }

// Unwrap returns the cause.
func (e *ExitError) Unwrap() error { return e.Err }

// Wrong means that the command did its work and found something wrong.
func Wrong(err error) error { return &ExitError{Code: CodeWrong, Err: err} }

// Usage means that the command line or the configuration cannot be used.
func Usage(err error) error { return &ExitError{Code: CodeUsage, Err: err} }

// Service means that a service, or this machine, failed.
func Service(err error) error { return &ExitError{Code: CodeService, Err: err} }

// Interrupted means that somebody ended the command.
func Interrupted(err error) error { return &ExitError{Code: CodeInterrupted, Err: err} }

// Exit tells the person why a command failed and returns the exit code. Errors that no command made are the command
// line parser's.
func Exit(command *cobra.Command, err error) int {
	if err == nil {
		return CodeGood
	}
	if exit, ok := errors.AsType[*ExitError](err); ok {
		say(command, exit.Err, "")
		return exit.Code
	}
	say(command, err, fmt.Sprintf("Run '%s --help' for usage.\n", command.CommandPath()))
	return CodeUsage
}

// say indents all lines but the first: nothing in an error may look like a line of the program's own.
func say(command *cobra.Command, err error, hint string) {
	text := strings.ReplaceAll(err.Error(), "\n", "\n  ")
	w := command.ErrOrStderr()
	if emphasise(w, red, command.CommandPath()) == nil { // else nobody is left to tell
		_, _ = fmt.Fprintf(w, ": %s\n%s", text, hint)
	}
}
