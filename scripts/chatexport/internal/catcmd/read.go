package catcmd

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"chatexport/internal/archive"
	"chatexport/internal/catalog"
	"chatexport/internal/chat"
)

// errEnough ends the reading when all that was asked for has been printed.
var errEnough = errors.New("enough")

// cat reads what is asked for, and prints it.
type cat struct {
	options

	store   catalog.Store
	stream  chat.Stream
	out     writer
	printed int
}

// item is one seq: what is archived of it, what a look found, and what became of the links where they are asked for.
type item struct {
	chat.Element // without JSON if nothing is archived

	change *archive.ChangeLine // nil if nothing has changed
	now    chat.Element        // of the change; without JSON if it has none
	links  []archive.MediaLine // of the archived element
}

func (c *cat) print(ctx context.Context, chunks []archive.ChunkEntry) error {
	if c.tail > 0 {
		return c.printTail(ctx, chunks)
	}
	for _, chunk := range chunks {
		err := c.read(ctx, &chunk, func(i *item) error {
			if err := c.out.item(i); err != nil {
				return err
			}
			if c.printed++; c.head > 0 && c.printed >= c.head {
				return errEnough
			}
			return nil
		})
		if errors.Is(err, errEnough) {
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// printTail reads chunks from the end until they hold enough.
func (c *cat) printTail(ctx context.Context, chunks []archive.ChunkEntry) error {
	var kept []item // newest chunk's last
	for _, chunk := range slices.Backward(chunks) {
		var some []item
		err := c.read(ctx, &chunk, func(i *item) error {
			kept := *i
			kept.JSON, kept.now.JSON = bytes.Clone(i.JSON), bytes.Clone(i.now.JSON)
			if some = append(some, kept); len(some) > 2*c.tail {
				some = append(some[:0], some[len(some)-c.tail:]...)
			}
			return nil
		})
		if err != nil {
			return err
		}
		kept = append(some, kept...)
		if len(kept) >= c.tail {
			break
		}
	}
	for _, i := range kept[max(0, len(kept)-c.tail):] {
		if err := c.out.item(&i); err != nil {
			return err
		}
	}
	return nil
}

// read gives take what of a chunk is asked for, and of the looks at it, in order of seq.
func (c *cat) read(ctx context.Context, chunk *archive.ChunkEntry, take func(*item) error) error {
	if skip, err := c.skips(ctx, chunk); skip || err != nil {
		return err
	}
	account := catalog.NewAccount(ctx, c.store, c.stream, chunk)
	defer account.Close()
	changes := catalog.NewBeside(ctx, c.store, c.stream, chunk)
	defer changes.Close()
	give := func(i *item) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if !c.rng.Has(&i.Element) && (i.now.JSON == nil || !c.rng.Has(&i.now)) {
			return nil
		}
		if c.wantsLinks() && i.JSON != nil {
			var err error
			if i.links, err = account.Links(&i.Element); err != nil {
				return err
			}
		}
		if c.media && len(i.links) == 0 && (i.change == nil || len(i.change.Media) == 0) {
			return nil
		}
		return take(i)
	}
	alone := func(below chat.Seq) error {
		for {
			i := item{}
			if found, err := c.next(changes, &i, below); err != nil || !found {
				return err
			}
			if err := give(&i); err != nil {
				return err
			}
		}
	}
	var one item
	err := catalog.Lines(ctx, c.store, c.stream, *chunk, func(e chat.Element) error {
		if err := alone(e.Seq); err != nil {
			return err
		}
		one = item{Element: e}
		if _, err := c.next(changes, &one, e.Seq+1); err != nil {
			return err
		}
		return give(&one)
	})
	if err != nil {
		return err
	}
	return alone(chunk.Hi + 1)
}

// skips reports whether a chunk need not be read: because it has nothing of what is asked for, or because only a look could have
// found something in it, and has not.
func (c *cat) skips(ctx context.Context, chunk *archive.ChunkEntry) (bool, error) {
	plain := c.rng
	plain.Looked = false
	if plain.Wants(chunk) && (!c.media || chunk.Links > 0) {
		return false, nil
	}
	if !c.looked() {
		return true, nil
	}
	for line, err := range catalog.Changes(ctx, c.store, c.stream, chunk) {
		if err != nil {
			return false, err
		}
		if !c.media || len(line.Media) > 0 {
			return false, nil
		}
	}
	return true, nil
}

// next gives i the next change that is asked for of a seq below some seq, and reports whether there is one.
func (c *cat) next(changes *catalog.Beside, i *item, below chat.Seq) (bool, error) {
	if !c.looked() {
		return false, nil // nobody asks: nothing is read
	}
	for {
		line, err := changes.Below(below)
		if err != nil || line == nil {
			return false, err
		}
		if c.asOf != 0 && line.SeenAt > c.asOf {
			continue
		}
		i.Seq, i.change = line.Seq, line
		if len(line.Now) > 0 {
			i.now, err = chat.ScanElement(line.Now)
		}
		return true, err
	}
}
