// Package clitest is what the tests of several commands need: running one, and archives to run it on.
//
// It is for tests only, and knows no command.
package clitest

import (
	"bytes"
	"context"
	"testing"

	"github.com/spf13/cobra"

	"chatexport/scripts/chatexport/internal/cli"
)

// Result is how a command ended.
type Result struct {
	Code   int
	Stdout string
	Stderr string
}

// Run runs a command as the command line would.
func Run(t testing.TB, command *cobra.Command, args ...string) Result {
	t.Helper()
	return RunContext(t.Context(), command, args...)
}

// RunContext is Run with a context that may end.
func RunContext(ctx context.Context, command *cobra.Command, args ...string) Result {
	var stdout, stderr bytes.Buffer
	command.SilenceErrors, command.SilenceUsage = true, true
	command.SetArgs(args)
	command.SetOut(&stdout)
	command.SetErr(&stderr)
	ran, err := command.ExecuteContextC(ctx)
	code := cli.Exit(ran, err)
	return Result{Code: code, Stdout: stdout.String(), Stderr: stderr.String()}
}

// Env returns a getenv over a map, nil for an environment without variables.
func Env(env map[string]string) func(string) string {
	return func(name string) string { return env[name] }
}
