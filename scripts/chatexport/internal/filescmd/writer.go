package filescmd

import (
	"context"
	"encoding/json"
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

// chunk takes the links of a chunk.
func (f *writer) chunk(ctx context.Context, c *archive.ChunkEntry, t *table) error {
	if c.Links == 0 {
		return nil
	}
	account := catalog.NewAccount(ctx, f.store, f.stream, c)
	defer account.Close()
	return catalog.Lines(ctx, f.store, f.stream, *c, func(e chat.Element) error {
		if !f.rng.Has(&e) {
			return ctx.Err()
		}
		lines, err := account.Links(&e)
		if err != nil {
			return err
		}
		for _, line := range lines {
			if !f.wants(line.Kind) {
				continue
			}
			f.waiting = append(f.waiting, row{MediaLine: line, Time: e.Time, From: sender(&e)})
			if len(f.waiting) == batch {
				if err := f.flush(ctx, t); err != nil {
					return err
				}
			}
		}
		return ctx.Err()
	})
}

// sender reads who sent a message. A struct would take a name in any case for the member's.
func sender(e *chat.Element) (from string) {
	var members map[string]json.RawMessage
	if json.Unmarshal(e.JSON, &members) != nil || json.Unmarshal(members["From_Account"], &from) != nil {
		return ""
	}
	return from
}

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
				name := nameOf(&r.MediaLine, r.Time)
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
