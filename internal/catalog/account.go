package catalog

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
)

// MediaNotYet is what stands for the state of a link that no receipt accounts for yet. No receipt has it.
const MediaNotYet = "not yet"

// Account tells what became of the links of a chunk's messages, which are read beside it in order. It holds one receipt and
// the lines of one message at a time.
type Account struct {
	next func() (archive.MediaLine, error, bool)
	stop func()

	line archive.MediaLine // the next one; more tells whether there is one
	more bool
	held bool     // line and more were read, and line belongs to no message so far
	to   chat.Seq // the last seq of the receipts that were read to their end
}

// NewAccount begins at the start of a chunk. Close ends it.
func NewAccount(ctx context.Context, store Store, s chat.Stream, c *archive.ChunkEntry) *Account {
	a := &Account{}
	stopped := errors.New("nobody reads on")
	a.next, a.stop = iter.Pull2(func(yield func(archive.MediaLine, error) bool) {
		each := func(line archive.MediaLine) error {
			if !yield(line, nil) {
				return stopped
			}
			return nil
		}
		for r, err := range Receipts(ctx, store, s, c) {
			if err == nil {
				err = r.Lines(each)
			}
			switch {
			case errors.Is(err, stopped):
				return
			case err != nil:
				yield(archive.MediaLine{}, err)
				return
			}
			a.to = r.Hi
		}
	})
	return a
}

// Close ends the reading.
func (a *Account) Close() { a.stop() }

// Links returns the links of the next message that the caller is interested in, each with what became of it: MediaNotYet
// where no receipt covers it. The error wraps archive.ErrInvalid or is the store's.
func (a *Account) Links(e *chat.Element) ([]archive.MediaLine, error) {
	links := chat.Links(e)
	lines := make([]archive.MediaLine, 0, len(links))
	for len(lines) < len(links) {
		if err := a.read(); err != nil {
			return nil, err
		}
		if !a.more || a.line.Seq > e.Seq {
			break
		}
		a.held = false
		if a.line.Seq == e.Seq {
			a.line.Size = links[len(lines)].Size
			lines = append(lines, a.line)
		}
	}
	if found := len(lines); found > 0 && found < len(links) {
		return nil, fmt.Errorf("%w: receipts have %d links of seq %d, its message has %d; run verify", archive.ErrInvalid, found, e.Seq, len(links))
	}
	state := MediaNotYet
	if a.more || e.Seq <= a.to {
		state = archive.MediaUnread // a receipt of a chunk that could not be read counts its links, and has no lines
	}
	for _, link := range links[len(lines):] {
		lines = append(lines, archive.MediaLine{Link: link, State: state})
	}
	return lines, nil
}

// read makes sure that the next line is held, if there is one.
func (a *Account) read() error {
	if a.held {
		return nil
	}
	line, err, more := a.next()
	if err != nil {
		return err
	}
	a.line, a.more, a.held = line, more, true
	return nil
}

// Files is what receipts tell of the links that they account for.
type Files struct {
	States map[string]int64 // links, by what became of them
	Bytes  int64            // of those that are stored; a file with two links counts twice
}

// Read adds what the receipts of a chunk tell. It costs what Receipts costs.
func (f *Files) Read(ctx context.Context, store Store, s chat.Stream, c *archive.ChunkEntry) error {
	if f.States == nil {
		f.States = map[string]int64{}
	}
	for r, err := range Receipts(ctx, store, s, c) {
		if err == nil {
			err = r.Stored(func(line archive.MediaLine) error { f.Bytes += line.Bytes; return nil })
		}
		if err != nil {
			return err
		}
		for state, n := range r.Counts {
			if n > 0 {
				f.States[state] += n
			}
		}
	}
	return nil
}
