package scfemu

import (
	"context"
	"fmt"
	"os"
	"os/exec"
)

// Build builds a function as it is deployed, but for this machine, and writes the binary to output. pkg is a package
// of this module, or a folder, as for go build; dir is where go runs, empty for the working directory.
func Build(ctx context.Context, dir, output, pkg string, flags ...string) error {
	args := append([]string{"build", "-trimpath", "-o", output}, flags...)
	cmd := exec.CommandContext(ctx, "go", append(args, pkg)...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build %s: %w\n%s", pkg, err, out)
	}
	return nil
}
