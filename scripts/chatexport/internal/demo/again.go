package demo

import (
	"strconv"
	"strings"

	"chatexport/scripts/chatexport/internal/cli"
)

// command is the command line that goes on with this demo: what decides about the content, and the folder.
func (d *demo) command() string {
	words := []string{"go run ./scripts/chatexport demo"}
	if d.options.data != "" {
		words = append(words, "--data", cli.ShellQuote(d.options.data))
	}
	if d.options.messages != 0 {
		words = append(words, "--messages", strconv.Itoa(d.options.messages))
	}
	if d.options.groups != 0 {
		words = append(words, "--groups", strconv.Itoa(d.options.groups))
	}
	if d.options.out != defaultOut {
		words = append(words, "--out", cli.ShellQuote(d.options.out))
	}
	return strings.Join(words, " ")
}
