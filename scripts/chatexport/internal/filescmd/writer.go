package filescmd

import (
	"context"
	"fmt"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"chatexport/internal/archive"
	"chatexport/internal/catalog"
	"chatexport/internal/chat"
	"chatexport/internal/folder"
	"chatexport/internal/panics"
	"chatexport/scripts/chatexport/internal/cli"
	"chatexport/scripts/chatexport/internal/target"
)

const (
	parallel = 8  // files that are copied side by side
	batch    = 64 // links that are held in memory
)

// writer writes the files of a stream, and their index.
type writer struct {
	options

	store   target.Store
	stream  chat.Stream
	dir     *folder.Folder
	console *cli.Console
	result  Result
	waiting []row // the batch
	done    atomic.Int64
}

// all goes over the chunks. What is damaged of them is told, and passed.
func (f *writer) all(ctx context.Context, chunks []archive.ChunkEntry) error {
	links := int64(0)
	for i := range chunks {
		links += chunks[i].Links
	}
	stop := f.console.Follow("writing", "files", links, f.done.Load)
	defer stop()
	return writeIndex(f.dir, func(t *table) error {
		for i := range chunks {
			err := f.chunk(ctx, &chunks[i], t)
			if catalog.Damaged(err) {
				f.result.Problems++
				f.console.Line("%v", err)
				err = nil
			}
			if err != nil {
				return err
			}
		}
		return f.flush(ctx, t)
	})
}

// chunk takes the links of a chunk, and those of new versions that looks at it found.
func (f *writer) chunk(ctx context.Context, c *archive.ChunkEntry, t *table) error {
	changes := catalog.NewBeside(ctx, f.store, f.stream, c)
	defer changes.Close()
	if c.Links > 0 {
		account := catalog.NewAccount(ctx, f.store, f.stream, c)
		defer account.Close()
		err := catalog.Lines(ctx, f.store, f.stream, *c, func(e chat.Element) error {
			if err := f.changed(ctx, changes, e.Seq, t); err != nil {
				return err
			}
			if !f.rng.Has(&e) {
				return ctx.Err()
			}
			lines, err := account.Links(&e)
			if err != nil {
				return err
			}
			return f.take(ctx, &e, lines, 0, t)
		})
		if err != nil {
			return err
		}
	}
	return f.changed(ctx, changes, c.Hi+1, t)
}

// changed takes the links of new versions below a seq.
func (f *writer) changed(ctx context.Context, changes *catalog.Beside, below chat.Seq, t *table) error {
	for {
		line, err := changes.Below(below)
		if err != nil || line == nil {
			return err
		}
		if len(line.Media) == 0 {
			continue
		}
		now, err := chat.ScanElement(line.Now)
		if err != nil {
			return err
		}
		if !f.rng.Has(&now) {
			continue
		}
		if err := f.take(ctx, &now, line.Media, line.SeenAt, t); err != nil {
			return err
		}
	}
}

// take adds links of a message to the batch. seen is when a look found them, 0 for what is archived.
func (f *writer) take(ctx context.Context, e *chat.Element, lines []archive.MediaLine, seen int64, t *table) error {
	for _, line := range lines {
		if !f.wants(line.Kind) {
			continue
		}
		f.waiting = append(f.waiting, row{MediaLine: line, Time: e.Time, From: sender(e), SeenAt: seen})
		if len(f.waiting) == batch {
			if err := f.flush(ctx, t); err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

// sender reads who sent a message.
func sender(e *chat.Element) string { return e.Value().Member("From_Account").Text() }

// flush copies the files of the batch side by side, and writes its rows in order.
func (f *writer) flush(ctx context.Context, t *table) error {
	kept := make([]bool, len(f.waiting))
	group, within := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i := range f.waiting {
		r := &f.waiting[i]
		if r.State != archive.MediaStored {
			continue
		}
		group.Go(func() error {
			defer f.done.Add(1)
			return panics.Caught(func() (err error) {
				name := nameOf(&r.MediaLine, r.Time, r.SeenAt > 0)
				kept[i], err = f.place(within, &r.MediaLine, name, fmt.Sprintf("%s%02d", partPrefix, i))
				if what := problem(err); what != nil {
					r.Problem, err = what.Error(), nil
				} else if err == nil {
					r.File = name
				}
				return err
			})
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for i := range f.waiting {
		r := &f.waiting[i]
		f.result.add(r, kept[i])
		if err := t.add(r); err != nil {
			return err
		}
	}
	f.waiting = f.waiting[:0]
	return nil
}

// add counts a link.
func (r *Result) add(one *row, kept bool) {
	r.Links++
	r.States[one.State]++
	switch {
	case one.Problem != "":
		r.Problems++
	case one.File != "":
		r.Files++
		r.Bytes += one.Bytes
	}
	if kept {
		r.Kept++
	}
}
