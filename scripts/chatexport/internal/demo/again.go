package demo

import (
	"os"
	"strconv"
	"strings"

	"chatexport/scripts/chatexport/internal/cli"
)

// program is how this program was called, for a line that can be pasted.
func program() string {
	if strings.Contains(os.Args[0], "go-build") { // where go run puts it
		return "go run ./scripts/chatexport"
	}
	return cli.ShellQuote(os.Args[0])
}

// command is the command line that goes on with this demo: what decides about the content, and the folder.
func (d *demo) command() string {
	words := []string{program() + " demo"}
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
