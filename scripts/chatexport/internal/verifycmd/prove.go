package verifycmd

import (
	"context"
	"errors"

	"chatexport/scripts/chatexport/internal/cli"
	"chatexport/scripts/chatexport/internal/target"
)

// Proof is what a verification found, for a command that gives it along with what it writes.
type Proof struct {
	Text        string // as verify --read prints it
	Sound       bool
	Certificate []byte // nil where there is none to give: the archive is not sound, or something of it is in no manifest
}

// Prove does what verify --read does, of the streams that ids name, or of all. That something is wrong is no error.
func Prove(ctx context.Context, t *target.Target, ids []string, console *cli.Console) (Proof, error) {
	o := options{read: true, parallel: defaultParallel}
	r := result{Where: t.Where, Level: o.level(), FilesLevel: o.filesLevel()}
	if err := verifyAll(ctx, t, o, ids, console, &r); err != nil {
		return Proof{}, err
	}
	r.Consistent = r.consistent()
	r.Sound = r.Consistent && r.whole()
	p := Proof{Text: text(o, r), Sound: r.Sound}
	if !r.Sound {
		return p, nil
	}
	body, err := certificate(t, r)
	if wrong, ok := errors.AsType[*cli.ExitError](err); ok && wrong.Code == cli.CodeWrong {
		p.Text += wrong.Error() + "\n"
		return p, nil
	}
	p.Certificate = body
	return p, err
}
