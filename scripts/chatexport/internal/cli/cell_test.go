package cli_test

import (
	"testing"

	"chatexport/scripts/chatexport/internal/cli"
)

func TestCell_IsNoFormula(t *testing.T) {
	t.Parallel()
	for cell, want := range map[string]string{
		"": "", "a=b": "a=b", "=1+1": "'=1+1", " \t=1": "'  =1", "+1": "'+1", "-1": "'-1", "@x": "'@x", "＝1": "'＝1", "x;=1;@y;z": "x;'=1;'@y;z", "\"=1": "'\"=1",
		"\r=1": "' =1", "\r\n=1": "\n'=1", "a\n\n  -b": "a\n\n'  -b", "\u202e=1": "'=1", "https://x/?a=1&b=-2": "https://x/?a=1&b=-2", "\x1b[1m": "[1m",
	} {
		if got := cli.Cell(cell); got != want {
			t.Errorf("%q: %q, want %q", cell, got, want)
		}
	}
}
