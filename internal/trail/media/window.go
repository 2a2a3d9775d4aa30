package media

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chain"
	"chatexport/internal/chat"
	"chatexport/internal/fetch"
	"chatexport/internal/layout"
	"chatexport/internal/retry"
	"chatexport/internal/trail"
)

const (
	// fetching bounds the time between two receipts: what was fetched by then is accounted for before anything can go wrong.
	fetching = time.Minute
	// patience is how long after its chunk was listed a file is waited for that does not come while others do.
	patience = 12 * time.Hour
)

// window are the links of whole messages, in order, for which no receipt is written yet.
type window struct {
	kind    *Kind
	job     *trail.Job
	expired *expired
	from    chat.Seq // where the work on the chunk began
	began   time.Time
	again   bool // the first message was waited for, and has not been tried since

	mu      sync.Mutex // guards what follows while files are fetched
	entries []entry
	came    time.Time // when the last file came; zero if none has
	err     error     // why files cannot be stored; the first one
}

// entry is one link. It is settled once its line has a state.
type entry struct {
	line   archive.MediaLine
	sent   time.Time
	failed *fetch.Failure // of the last try, if the file may still come
	tried  time.Time
	took   time.Duration // to fetch and store the file
}

func (e *entry) settled() bool { return e.line.State != "" }

func (e *entry) settle(state, code string) { e.line.State, e.line.Code = state, code }

// add takes in the links of the next message. A receipt that would become too large without them is written first.
func (w *window) add(ctx context.Context) func(sent int64, links []chat.Link) error {
	return func(sent int64, links []chat.Link) error {
		if n := len(w.entries); n > 0 && n+len(links) > archive.MaxMediaLinks {
			if err := w.flush(ctx, links[0].Seq-1); err != nil {
				return err
			}
		}
		for _, l := range links {
			told := w.expired.judge(l, w.kind.Fetcher)
			e := entry{line: archive.MediaLine{Link: l}, sent: sentAt(w.job, sent)}
			switch {
			case l.Kind == chat.LinkRelay:
				e.settle(archive.MediaNoURL, "key_only")
			case l.URL == "":
				e.settle(archive.MediaNoURL, "no_url")
			case told != nil:
				e.settle(string(told.State), told.Code)
			}
			w.entries = append(w.entries, e)
		}
		return nil
	}
}

// flush fetches what the window refers to, and writes receipts up to hi. Where a file is waited for, the last receipt ends
// below its message.
func (w *window) flush(ctx context.Context, hi chat.Seq) error {
	for {
		if err := w.fetch(ctx); err != nil {
			return err
		}
		open := w.firstOpen()
		if open < 0 {
			return w.put(ctx, hi, len(w.entries))
		}
		seq, waits := w.entries[open].line.Seq, w.entries[open].failed != nil
		n := open
		for n > 0 && w.entries[n-1].line.Seq == seq {
			n--
		}
		if n > 0 {
			if err := w.put(ctx, seq-1, n); err != nil {
				return err
			}
		}
		switch {
		case waits:
			return trail.ErrWaits
		case ctx.Err() != nil, !time.Now().Before(w.job.Until): // whoever cancels a batch does not wait for its end
			return trail.ErrTimeUp
		}
	}
}

// firstOpen returns the first entry that is not settled, -1 if there is none.
func (w *window) firstOpen() int {
	for i := range w.entries {
		if !w.entries[i].settled() {
			return i
		}
	}
	return -1
}

// untried reports whether nothing is known yet of an entry.
func (w *window) untried() bool {
	return slices.ContainsFunc(w.entries, func(e entry) bool { return !e.settled() && e.failed == nil })
}

// put writes the receipt of the first n entries and forgets them.
func (w *window) put(ctx context.Context, hi chat.Seq, n int) error {
	lines, size := make([]archive.MediaLine, n), int64(0)
	for i := range lines {
		lines[i] = w.entries[i].line
		size += lines[i].Bytes
	}
	err := w.job.Put(ctx, hi, size, func(m archive.ReceiptMeta) (archive.Receipt, error) {
		return archive.NewMediaReceipt(m, lines)
	})
	if err != nil {
		return err
	}
	w.entries = append(w.entries[:0], w.entries[n:]...)
	return nil
}

// fetch tries what is not settled, and decides about what did not come.
func (w *window) fetch(ctx context.Context) error {
	soft := time.Now().Add(fetching)
	if w.job.Until.Before(soft) {
		soft = w.job.Until
	}
	// What comes behind a file that is waited for has been fetched once. Until it tells something, it is not fetched again
	// every few minutes.
	first := w.again && !w.listedLongAgo()
	w.again = false
	var links []fetch.Link
	var at []int
	for i := range w.entries {
		if e := &w.entries[i]; !e.settled() && e.failed == nil && (!first || e.line.Seq == w.entries[0].line.Seq) {
			links, at = append(links, fetch.Link{URL: e.line.URL, Size: e.line.Size}), append(at, i)
		}
	}
	ctx, cancel := context.WithDeadline(ctx, w.job.End)
	defer cancel()
	if len(links) > 0 {
		err := w.kind.Fetcher.Fetch(ctx, soft, links, func(ctx context.Context, i int, file *fetch.File, err error) {
			w.take(ctx, at[i], file, err)
		})
		if err != nil {
			return err
		}
	}
	if w.err != nil {
		return w.err
	}
	if !time.Now().Before(w.job.Until) {
		w.tooSlow()
	}
	if err := w.giveUp(ctx); err != nil || !first {
		return err
	}
	if open := w.firstOpen(); open >= 0 && w.entries[open].failed == nil { // it has come, or is given up
		return w.fetch(ctx)
	}
	return nil
}

// take settles an entry whose file came and is stored, or never will come.
func (w *window) take(ctx context.Context, i int, file *fetch.File, err error) {
	var damaged bool
	if file != nil {
		err = w.store(ctx, file)
		damaged = errors.Is(err, errBlobDamaged)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	e := &w.entries[i]
	failure, failed := errors.AsType[*fetch.Failure](err)
	switch {
	case err == nil:
		e.settle(archive.MediaStored, "")
		e.line.SHA256, e.line.Bytes, e.line.Type, e.line.Short = file.SHA256, file.Size, file.Type, file.Short
		e.took, w.came = time.Since(file.Began), time.Now()
	case damaged:
		e.settle(archive.MediaFailed, "blob_damaged")
	case failed && cut(w.job, failure): // the next batch has more time for it
	case failed && failure.Passing:
		e.failed, e.tried = failure, time.Now()
	case failed && failure.State == fetch.External: // which says all
		e.settle(archive.MediaExternal, "")
	case failed:
		e.settle(string(failure.State), failure.Code)
	case w.err == nil && ctx.Err() == nil && !errors.Is(err, retry.ErrNoTime):
		w.err = fmt.Errorf("store a file: %w", err)
	}
}

// cut reports whether nothing but the end of the batch stopped a file that it did not have from its beginning on.
func cut(job *trail.Job, failure *fetch.Failure) bool {
	return failure.Code == fetch.CodeTooSlow && !(job.Whole && failure.Began.Before(job.Half))
}

var errBlobDamaged = errors.New("the file's name is taken by other bytes")

// store writes a file's bytes, unless they are there.
func (w *window) store(ctx context.Context, file *fetch.File) error {
	b := w.job.Batch()
	key, write := layout.Blob(file.SHA256), file.Write()
	// A crash right after this write: the bytes are found when the link is tried again.
	_, err := chain.Create(ctx, b.Store, key, write, func(ctx context.Context) error {
		o, err := chain.Head(ctx, b.Store, key, b.Jitter)
		if err != nil {
			return err
		}
		if o.Size != write.File.Size || o.CRC64 != write.File.CRC64 {
			return fmt.Errorf("%w: %s", errBlobDamaged, key)
		}
		return nil
	})
	return err
}

// tooSlow takes the rest of a message for tried whose other files alone took as long as a whole batch: it will fit into none. What
// was not begun because other streams were served tells nothing.
func (w *window) tooSlow() {
	open := w.firstOpen()
	if open < 0 || !w.job.Whole || w.job.From() != w.from || w.entries[open].line.Seq != w.entries[0].line.Seq {
		return
	}
	message := func(e *entry) bool { return e.line.Seq == w.entries[0].line.Seq }
	var took time.Duration
	for i := range w.entries {
		if e := &w.entries[i]; message(e) {
			took += e.took
		}
	}
	if took < w.job.Until.Sub(w.began) {
		return
	}
	for i := range w.entries {
		if e := &w.entries[i]; !e.settled() && e.failed == nil && message(e) {
			e.failed, e.tried = &fetch.Failure{State: fetch.Failed, Code: fetch.CodeTooSlow, Passing: true}, time.Now()
		}
	}
}

// listedLongAgo reports whether a file that does not come is given up where others come.
func (w *window) listedLongAgo() bool { return time.Since(w.job.Manifest.FinishedAt) >= patience }

// giveUp settles what is no longer waited for.
func (w *window) giveUp(ctx context.Context) error {
	listed := w.listedLongAgo()
	if listed {
		if err := w.probe(ctx); err != nil {
			return err
		}
	}
	for i := range w.entries {
		e := &w.entries[i]
		if e.settled() || e.failed == nil {
			continue
		}
		if time.Since(e.sent) > w.kind.Retention/2 || listed && w.came.After(e.tried) {
			e.settle(string(e.failed.State), e.failed.Code)
		}
	}
	return nil
}

// probe fetches once more what came, where everything that came did so before others failed: it tells a file that is lost
// from a service that is.
func (w *window) probe(ctx context.Context) error {
	var good *entry
	late := false
	for i := range w.entries {
		e := &w.entries[i]
		if e.line.State == archive.MediaStored && (good == nil || e.line.Bytes < good.line.Bytes) {
			good = e
		}
		late = late || e.failed != nil && !w.came.After(e.tried)
	}
	if good == nil || !late {
		return nil
	}
	return w.kind.Fetcher.Fetch(ctx, w.job.Until, []fetch.Link{{URL: good.line.URL, Size: good.line.Size}}, func(_ context.Context, _ int, file *fetch.File, _ error) {
		if file != nil {
			w.came = time.Now()
		}
	})
}
