package view

import (
	"context"
	"fmt"
	"os/exec"
	"runtime"

	"chatexport/scripts/chatexport/internal/cli"
)

// openBrowser asks the desktop to open an address, and does not wait for what it opens.
func openBrowser(ctx context.Context, address string) error {
	args := []string{"xdg-open"}
	switch runtime.GOOS {
	case "darwin":
		args = []string{"open"}
	case "windows":
		args = []string{"rundll32", "url.dll,FileProtocolHandler"}
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), args[0], append(args[1:], address)...)
	if err := cmd.Start(); err != nil {
		return cli.Usage(fmt.Errorf("--open: %w; open the address yourself", err))
	}
	return cmd.Process.Release()
}
