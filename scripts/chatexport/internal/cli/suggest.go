package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// NoSuchCommand is the Args of a command whose arguments are commands: it says which one may have been meant.
func NoSuchCommand(command *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, sub := range command.Commands() {
		if sub.IsAvailableCommand() {
			names = append(names, sub.Name())
		}
	}
	return fmt.Errorf("unknown command %q for %q%s", args[0], command.CommandPath(), meant("", args[0], names))
}

// NoSuchFlag says which flag may have been meant, where there is no such one.
func NoSuchFlag(command *cobra.Command, err error) error {
	_, name, unknown := strings.Cut(err.Error(), "unknown flag: --")
	if !unknown {
		return err
	}
	var names []string
	command.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	return fmt.Errorf("%w%s", err, meant("--", name, names))
}

// meant asks for the name that is closest to a word, if one is close.
func meant(prefix, word string, names []string) string {
	if len(names) == 0 {
		return ""
	}
	closest := slices.MinFunc(names, func(a, b string) int { return distance(word, a) - distance(word, b) })
	if d := distance(word, closest); d > 2 || d >= len(closest) {
		return ""
	}
	return "; did you mean " + prefix + closest + "?"
}

// distance counts the characters that have to be added, left out, changed or swapped to make one word of another.
func distance(a, b string) int {
	before, row := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range a {
		last := slices.Clone(row)
		row[0] = i + 1
		for j := range b {
			change := 1
			if a[i] == b[j] {
				change = 0
			}
			row[j+1] = min(last[j+1]+1, row[j]+1, last[j]+change)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before = last
	}
	return row[len(b)]
}
