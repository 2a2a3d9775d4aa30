package catcmd_test

import (
	"io"
	"testing"

	"chatexport/internal/archive"
	"chatexport/scripts/chatexport/internal/catcmd"
	"chatexport/scripts/chatexport/internal/clitest"
)

// BenchmarkCat prints an archive in each form. ns/op is of one message.
func BenchmarkCat(b *testing.B) {
	store, dir := clitest.Folder(b)
	const messages = 20_000
	archived := clitest.Build(b, store, group())
	archived.Messages(messages, 1)
	archived.Manifest(archive.StatusComplete)
	for _, form := range []string{"--json", "--text", "--csv"} {
		b.Run(form[2:], func(b *testing.B) {
			for n := 0; n < b.N; n += messages {
				command := catcmd.Command(clitest.Env(nil))
				command.SetArgs([]string{group().GroupID, "--dir", dir, form})
				command.SetOut(io.Discard)
				if err := command.ExecuteContext(b.Context()); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
