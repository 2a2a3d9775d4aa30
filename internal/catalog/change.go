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
