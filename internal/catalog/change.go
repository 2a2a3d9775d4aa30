package catalog

import (
	"context"
	"errors"
	"iter"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
)

// Changes yields what was found changed of a chunk, in order of seq, each line valid until the next. It holds one receipt at a
// time, and costs what Looks costs. An error ends it.
func Changes(ctx context.Context, store Store, s chat.Stream, c *archive.ChunkEntry) iter.Seq2[archive.ChangeLine, error] {
	return func(yield func(archive.ChangeLine, error) bool) {
		stopped := errors.New("nobody reads on")
		for r, err := range Looks(ctx, store, s, c) {
			if err == nil {
				err = r.Differences(func(line archive.ChangeLine) error {
					if !yield(line, nil) {
						return stopped
					}
					return nil
				})
			}
			switch {
			case errors.Is(err, stopped):
				return
			case err != nil:
				yield(archive.ChangeLine{}, err)
				return
			}
		}
	}
}

// Beside reads what Changes yields beside a chunk's lines.
type Beside struct {
	pull func() (archive.ChangeLine, error, bool)
	stop func()
	line *archive.ChangeLine // the next one
}

// NewBeside begins at the start of a chunk. Close ends it.
func NewBeside(ctx context.Context, store Store, s chat.Stream, c *archive.ChunkEntry) *Beside {
	next, stop := iter.Pull2(Changes(ctx, store, s, c))
	return &Beside{pull: next, stop: stop}
}

// Close ends the reading.
func (b *Beside) Close() { b.stop() }

// Below returns the next change, if its seq is below some seq; nil otherwise. It is valid until the next call.
func (b *Beside) Below(seq chat.Seq) (*archive.ChangeLine, error) {
	if b.line == nil {
		line, err, more := b.pull()
		if err != nil || !more {
			return nil, err
		}
		b.line = &line
	}
	if b.line.Seq >= seq {
		return nil, nil
	}
	line := b.line
	b.line = nil
	return line, nil
}
