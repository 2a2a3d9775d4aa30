package verifycmd

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync/atomic"

	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/internal/verify"
	"chatexport/scripts/chatexport/internal/cli"
	"chatexport/scripts/chatexport/internal/pending"
	"chatexport/scripts/chatexport/internal/target"
)

// The kinds of findings that only this command has.
const (
	kindExpected verify.Kind = "expected" // the manifest with the hash of --expect is not in the chain
	kindSource   verify.Kind = "source"   // Chat holds something else than what is archived
	kindSweep    verify.Kind = "sweep"    // a warning: what the last sweep knew cannot be read
	kindPlace    verify.Kind = "place"    // a warning: the certificate of --against is of another place
)

// compare pulls a sample of each stream again.
func compare(ctx context.Context, t *target.Target, o options, console *cli.Console, r *result) error {
	client, err := t.Chat()
	if err != nil {
		return err
	}
	source := pending.NewPaced(client, t.Config.ChatQPS)
	var done atomic.Int64
	stop := console.Follow("comparing", "streams", int64(len(r.Streams)), done.Load)
	defer stop()
	for i := range r.Streams {
		s := &r.Streams[i]
		compared, err := verify.CompareSource(ctx, t.Store, source, s.Stream, o.pages)
		if err != nil {
			return fmt.Errorf("%s: %w", s.Stream, err)
		}
		s.Source = &compared
		for _, f := range compared.Damaged { // unless the verification has found it, too
			if !slices.ContainsFunc(s.Findings, func(found verify.Finding) bool { return found.Key == f.Key }) {
				s.Findings = append(s.Findings, f)
			}
		}
		if !compared.Same() {
			s.Findings = append(s.Findings, verify.Finding{
				Kind: kindSource, Key: layout.ChunkPrefix(s.Stream),
				Text: fmt.Sprintf("Chat has %d messages that are not archived and %d where others are archived, first at %v",
					compared.Missing, compared.Different, compared.Seqs[:min(len(compared.Seqs), 10)]),
			})
		}
		done.Add(1)
	}
	return nil
}

// counted counts the chunks and files that are looked at, for the progress.
type counted struct {
	verify.Store

	done *atomic.Int64
}

// Get implements verify.Store.
func (c *counted) Get(ctx context.Context, key string) ([]byte, objstore.Object, error) {
	c.count(key)
	return c.Store.Get(ctx, key)
}

// Head implements verify.Store.
func (c *counted) Head(ctx context.Context, key string) (objstore.Object, error) {
	c.count(key)
	return c.Store.Head(ctx, key)
}

// Open implements verify.Store.
func (c *counted) Open(ctx context.Context, key string) (io.ReadCloser, objstore.Object, error) {
	c.count(key)
	return c.Store.Open(ctx, key)
}

func (c *counted) count(key string) {
	if name, err := layout.Parse(key); err == nil && (name.Kind == layout.KindChunk || name.Kind == layout.KindBlob) {
		c.done.Add(1)
	}
}
