package plan

import (
	"context"
	"errors"
	"fmt"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/catalog"
	"chatexport/internal/chat"
	"chatexport/internal/objstore"
	"chatexport/scripts/chatexport/internal/cli"
)

// defaultFile is the size of a file in bytes where nothing tells.
const defaultFile = 200_000

// files is what is known of a stream's links, from the archive and from a few pages.
type files struct {
	seqs, links int64     // of these seqs, so many links
	had, bytes  float64   // of files whose size is known, and their sizes
	tried       float64   // links of the receipt that was read; those in had came
	stored      float64   // of these
	waiting     int64     // links of archived messages that are still to be fetched
	oldest      time.Time // of the messages of these; zero if unknown
}

// known takes what the archive tells: counters, what waits, and the last receipt. What of it is damaged tells nothing.
func (f *files) known(ctx context.Context, store catalog.Store, s chat.Stream, state *archive.State) error {
	if state == nil || state.Counters.Links == 0 {
		return nil
	}
	f.seqs, f.links = state.Counters.Lines(), state.Counters.Links
	err := f.read(ctx, store, s, state.Media)
	if catalog.Damaged(err) || errors.Is(err, catalog.ErrNoArchive) || errors.Is(err, objstore.ErrNotExist) {
		return nil
	}
	return err
}

func (f *files) read(ctx context.Context, store catalog.Store, s chat.Stream, hint *archive.TrailHint) error {
	genesis, err := catalog.Genesis(ctx, store, s)
	if err != nil {
		return err
	}
	w, err := catalog.WaitingLinks(ctx, store, s, genesis.FirstLo, hint)
	if err != nil {
		return err
	}
	f.waiting = w.Links
	if w.Oldest > 0 {
		f.oldest = time.Unix(w.Oldest, 0).UTC()
	}
	if hint == nil || hint.After == nil {
		return nil
	}
	last, err := catalog.ReceiptAt(ctx, store, s, hint.After.Lo)
	if err != nil {
		return err
	}
	return last.Lines(func(line archive.MediaLine) error {
		f.tried++
		if line.State == archive.MediaStored {
			f.stored++
			f.had++
			f.bytes += float64(line.Bytes)
		}
		return nil
	})
}

// sample adds an element of a page.
func (f *files) sample(e *chat.Element) {
	f.seqs++
	for _, link := range chat.Links(e) {
		f.links++
		if link.Size > 0 {
			f.had++
			f.bytes += float64(link.Size)
		}
	}
}

// estimate adds what the files of so many messages take, in chunks of that number, and those that wait already. They cost no
// call: each is a request to where it lies, a write, and a share of a receipt.
func (f *files) estimate(to *figures) {
	links := f.waiting
	if f.seqs > 0 {
		links += to.Messages * f.links / f.seqs
	}
	if links == 0 {
		return
	}
	size, share := float64(defaultFile), 1.0
	if f.had > 0 {
		size = f.bytes / f.had
	}
	if f.tried > 0 {
		share = f.stored / f.tried
	}
	to.Links = links
	to.FileBytes = int64(float64(links) * share * size)
	to.COSRequests += links + max(ceil(links, archive.MaxMediaLinks), to.Chunks)
}

func (f *figures) filesText() string {
	return fmt.Sprintf("files: about %s, %s; to fetch them takes no calls, and as long as the connection needs", cli.Plural(f.Links, "link"), cli.Bytes(f.FileBytes))
}
