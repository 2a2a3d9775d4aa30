package repair

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/catalog"
	"chatexport/internal/fetch"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/scripts/chatexport/internal/cli"
)

const (
	// fetchBatch is how many links are held in memory, and fetched together.
	fetchBatch = 64
	// fetchTime is far longer than a batch takes: what comes to a halt the fetcher gives up by itself.
	fetchTime = 24 * time.Hour
)

// fetcher brings files from where messages say that they are.
type fetcher interface {
	Fetch(ctx context.Context, soft time.Time, links []fetch.Link, done fetch.Done) error
}

// stored visits the lines of all receipts that name a file's bytes. What of them is damaged is told by its own fault.
func (p *patient) stored(ctx context.Context, visit func(archive.MediaLine) error) error {
	for m, err := range catalog.Manifests(ctx, p.store, p.stream, p.genesis.FirstLo) {
		if catalog.Damaged(err) {
			return nil
		}
		if err != nil {
			return err
		}
		for i := range m.Chunks {
			for r, err := range catalog.Receipts(ctx, p.store, p.stream, &m.Chunks[i]) {
				if err == nil {
					err = r.Stored(visit)
				}
				if err != nil && !catalog.Damaged(err) {
					return err
				}
			}
		}
	}
	return nil
}

// ward is the files of a stream whose bytes are to be fetched again.
type ward struct {
	*patient

	mu    sync.Mutex        // guards all below while files are fetched, and the patient's objects
	lost  map[string]string // by sum: why it is not back yet
	links []fetch.Link      // the batch
	sums  []string          // of the batch
}

// blobs fetches files again whose bytes are lost, and puts back those that are the very same.
func (p *patient) blobs(ctx context.Context) error {
	w := &ward{patient: p, lost: map[string]string{}}
	for key, fault := range p.faults {
		name, _ := layout.Parse(key)
		if name.Kind != layout.KindBlob || p.back[key] {
			continue
		}
		switch _, err := p.store.Head(ctx, key); {
		case err == nil:
			p.add(key, RemoveFirst, "%s; whoever may removes it, and repair fetches it again, as long as it is stored", fault)
		case !errors.Is(err, objstore.ErrNotExist):
			return err
		case p.fetcher == nil:
			p.add(key, NotMended, "%s, and no app is configured (CHAT_SDKAPPID, CHAT_SECRET_KEY) with which to fetch it", fault)
		default:
			w.lost[name.SHA256] = "no receipt names it"
		}
	}
	if len(w.lost) == 0 {
		return nil
	}
	err := p.stored(ctx, func(line archive.MediaLine) error {
		link := fetch.Link{URL: line.URL, Size: line.Bytes}
		if _, lost := w.lost[line.SHA256]; !lost || slices.Contains(w.links, link) {
			return nil
		}
		w.links, w.sums = append(w.links, link), append(w.sums, line.SHA256)
		if len(w.links) == fetchBatch {
			return w.fetch(ctx)
		}
		return nil
	})
	if err == nil {
		err = w.fetch(ctx)
	}
	for _, sum := range slices.Sorted(maps.Keys(w.lost)) {
		key := layout.Blob(sum)
		p.add(key, NotMended, "%s, and is not fetched again: %s. If there is a copy, chatexport restore puts it back", p.faults[key], w.lost[sum])
	}
	return err
}

// fetch fetches the batch.
func (w *ward) fetch(ctx context.Context) error {
	if len(w.links) == 0 {
		return nil
	}
	var failed error
	err := w.fetcher.Fetch(ctx, time.Now().Add(fetchTime), w.links, func(ctx context.Context, i int, file *fetch.File, failure error) {
		why, err := w.putBack(ctx, w.sums[i], file, failure)
		w.mu.Lock()
		defer w.mu.Unlock()
		switch key := layout.Blob(w.sums[i]); {
		case err != nil:
			failed = errors.Join(failed, err)
		case w.lost[w.sums[i]] == "": // another link of it was faster
		case why != "":
			w.lost[w.sums[i]] = why
		default:
			delete(w.lost, w.sums[i])
			w.back[key] = !w.dryRun
			w.did(key, "fetched again: %s with the very sum that it is named by", cli.Plural(file.Size, "byte"))
		}
	})
	w.links, w.sums = w.links[:0], w.sums[:0]
	return errors.Join(err, failed, ctx.Err())
}

// putBack writes a file that came, if it is the one that was lost. It says why not where it is another, or none came.
func (w *ward) putBack(ctx context.Context, sum string, file *fetch.File, failure error) (why string, err error) {
	switch {
	case failure != nil:
		return failure.Error(), nil //nolint:nilerr // what became of one file, told in its line
	case file.SHA256 != sum:
		return "other bytes than were stored are there now", nil
	case w.dryRun:
		return "", nil
	}
	key := layout.Blob(sum)
	// A crash right after this: it is there, and the next repair finds nothing wrong with it.
	_, err = w.engine.Create(ctx, key, file.Write())
	if errors.Is(err, objstore.ErrExist) || errors.Is(err, objstore.ErrUnknown) {
		o, looked := w.engine.Head(ctx, key)
		switch {
		case looked != nil:
			return "", errors.Join(err, looked)
		case o.Size != file.Size || o.CRC64 != file.Write().File.CRC64:
			return "something else was written there meanwhile; start again", nil
		}
		err = nil
	}
	return "", err
}

// receipt says what helps against a receipt that is missing or damaged: when it was written, and after which one, cannot be
// made again.
func (p *patient) receipt(ctx context.Context, key string) error {
	there, _, err := p.there(ctx, key)
	if err != nil {
		return err
	}
	if there {
		p.add(key, RemoveFirst, "%s; only a copy has the right one: whoever may removes it, and chatexport restore puts that back", p.faults[key])
	} else {
		p.add(key, NotMended, "%s; only a copy has it: chatexport restore", p.faults[key])
	}
	return nil
}
