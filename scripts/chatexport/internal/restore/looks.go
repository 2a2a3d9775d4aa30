package restore

import (
	"context"
	"errors"

	"chatexport/internal/archive"
	"chatexport/internal/catalog"
	"chatexport/internal/chat"
	"chatexport/internal/objstore"
)

// looks is how far the receipts of looks at a stream were put back. One that tells of what has expired may cover the chunks of
// many manifests: it comes behind the last of them.
type looks struct {
	done chat.Seq // everything up to here is covered
	held chat.Seq // lo of the receipt that waits for another manifest; 0 if none does
}

// looks puts the receipts of looks back that cover nothing behind a manifest's end, as far as the trail goes.
func (r *restorer) looks(ctx context.Context, s *Stream, m *archive.Manifest, l *looks) error {
	if l.held != 0 {
		if more, err := r.look(ctx, s, m, l, l.held); err != nil || !more {
			return err
		}
	}
	for i := range m.Chunks {
		c := &m.Chunks[i]
		if c.Expired == c.Sum() {
			continue
		}
		for lo := max(c.Lo, l.done+1); lo <= c.Hi; lo = l.done + 1 {
			if more, err := r.look(ctx, s, m, l, lo); err != nil || !more {
				return err
			}
		}
	}
	return nil
}

// look puts one receipt back. It reports false if there is none, or if it must wait.
func (r *restorer) look(ctx context.Context, s *Stream, m *archive.Manifest, l *looks, lo chat.Seq) (more bool, err error) {
	receipt, err := catalog.LookAt(ctx, r.from, s.Stream, lo)
	switch {
	case errors.Is(err, objstore.ErrNotExist):
		return false, nil
	case err != nil:
		return false, err
	case receipt.Hi > m.Hi:
		l.held = lo
		return false, nil
	}
	l.held, l.done = 0, receipt.Hi
	return true, r.receipt(ctx, s, &receipt)
}
