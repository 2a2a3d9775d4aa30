// Command chatexport is the operator's command line: go run ./scripts/chatexport COMMAND.
//
// This file owns the root command, signals and exit codes; each command has a package of its own below internal. It
// must never hold what the function itself does: that is package invocation's.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"chatexport/internal/version"
	"chatexport/scripts/chatexport/internal/bench"
	"chatexport/scripts/chatexport/internal/cli"
	"chatexport/scripts/chatexport/internal/demo"
	"chatexport/scripts/internal/screen"
	"chatexport/scripts/internal/variables"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal ends the command cleanly; after it the second one finds the default, which kills.
	context.AfterFunc(ctx, stop)
	os.Exit(execute(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// execute runs one command line and returns its exit code.
func execute(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRoot() //nolint:contextcheck // commands get ctx when they run
	root.SetArgs(args)
	root.SetOut(screen.Of(stdout))
	root.SetErr(screen.Of(stderr))
	command, err := root.ExecuteContextC(ctx)
	return cli.Exit(command, err)
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "chatexport",
		Short: "Keep and look after an archive of Tencent Chat group history",
		Long: `chatexport keeps a complete, provable archive of Tencent Chat group history in COS.
This is its command line for people; the archive itself is kept by a cloud function.

` + cli.ExitCodes,
		Example: "  chatexport demo",
		Version: version.String(),
		Args:    cli.NoSuchCommand,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRun: func(cmd *cobra.Command, _ []string) {
			file := cmd.Flags().Lookup("env-file")
			if file == nil || cmd.Flags().Changed("demo") {
				return
			}
			for _, warning := range variables.Warnings(file.Value.String(), os.Getenv) {
				cli.Warn(cmd.ErrOrStderr(), "%s", warning)
			}
		},
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetFlagErrorFunc(cli.NoSuchFlag)
	root.AddCommand(demo.Command(), bench.Command(), bench.Reference())
	root.AddCommand(operate(os.Getenv)...)
	for _, command := range root.Commands() {
		for _, name := range []string{"dir", "demo"} {
			if command.Flags().Lookup(name) != nil {
				_ = command.MarkFlagDirname(name) // fails for a flag that does not exist
			}
		}
		command.ValidArgsFunction = cobra.NoFileCompletions // groups, if any
	}
	return root
}
