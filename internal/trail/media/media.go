// Package media is the trail of files: every link in the messages of a chunk is fetched, or has a reason why not.
//
// It owns which link is tried when, how long one is waited for, and the order of writes: first the file's bytes, then the
// receipt that says where they are. It must never write a receipt that leaves out a link, or hold more than the links of one
// receipt in memory.
package media

import (
	"context"
	"errors"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/fetch"
	"chatexport/internal/trail"
)

const (
	// sampleAge is how much longer than messages are retained a chunk may be old before its files are only sampled.
	sampleAge = 24 * time.Hour
	// samples is how many links a host are tried then.
	samples = 20
)

// Kind is the trail for all streams of a process.
type Kind struct {
	Fetcher   *fetch.Fetcher
	Retention time.Duration // how long the service stores messages and files (CHAT_RETENTION_DAYS)
}

var _ trail.Kind = (*Kind)(nil)

// Form implements trail.Kind.
func (k *Kind) Form() archive.Trail { return archive.Media() }

// Due implements trail.Kind: files are fetched as soon as their chunk is listed.
func (k *Kind) Due(_ *archive.Manifest, c *archive.ChunkEntry) (time.Time, bool) {
	return time.Time{}, c.Links > 0
}

// Begin implements trail.Kind.
func (k *Kind) Begin(trail.Batch) trail.Work { return k.work }

func (k *Kind) work(ctx context.Context, job *trail.Job) error {
	body, err := job.Read(ctx)
	if errors.Is(err, trail.ErrUnread) {
		return unread(ctx, job)
	}
	if err != nil {
		return err
	}
	w := &window{kind: k, job: job, from: job.From(), began: time.Now(), again: job.Again}
	if k.old(job) {
		if w.expired, err = k.sample(ctx, job, body); err != nil {
			return err
		}
	}
	if err := eachMessage(job, body, w.add(ctx)); err != nil {
		return err
	}
	return w.flush(ctx, job.Chunk.Hi)
}

// Resolve fetches the files of a message outside of this trail, sent at a time in seconds since 1970, and returns what became of
// each link. It waits for nothing: what does not come has failed. ErrTimeUp means that the time was too short.
func (k *Kind) Resolve(ctx context.Context, job *trail.Job, sent int64, links []chat.Link) ([]archive.MediaLine, error) {
	w := &window{kind: k, job: job, began: time.Now()}
	if time.Now().Before(job.Half) {
		w.from = job.From() // what does not fit now fits into no batch
	}
	if err := w.add(ctx)(sent, links); err != nil {
		return nil, err
	}
	for again := true; again; {
		if err := w.fetch(ctx); err != nil {
			return nil, err
		}
		again = w.untried() && ctx.Err() == nil && time.Now().Before(job.Until)
	}
	lines := make([]archive.MediaLine, len(w.entries))
	for i := range w.entries {
		e := &w.entries[i]
		switch {
		case e.failed != nil:
			e.settle(string(e.failed.State), e.failed.Code)
		case !e.settled():
			return nil, trail.ErrTimeUp
		}
		lines[i] = e.line
	}
	return lines, nil
}

// eachMessage visits the links of each message behind the last receipt that has some, and when it was sent.
func eachMessage(job *trail.Job, body []byte, visit func(sent int64, links []chat.Link) error) error {
	for e, err := range job.Elements(body) {
		if err != nil {
			return err
		}
		if links := chat.Links(&e); len(links) > 0 {
			if err := visit(e.Time, links); err != nil {
				return err
			}
		}
	}
	return nil
}

// unread accounts for the links of a chunk that is lost.
func unread(ctx context.Context, job *trail.Job) error {
	counted, err := job.Counted(ctx)
	if err != nil {
		return err
	}
	return job.Put(ctx, job.Chunk.Hi, 0, func(m archive.ReceiptMeta) (archive.Receipt, error) {
		m.Counts = map[string]int64{archive.MediaUnread: job.Chunk.Links - counted}
		return archive.Media().NewReceipt(m, nil)
	})
}

// old reports whether all files of the chunk should have expired.
func (k *Kind) old(job *trail.Job) bool {
	return time.Since(sentAt(job, job.Chunk.TsMax)) > k.Retention+sampleAge
}

// sentAt is when a message was sent, as far as it or its manifest tells.
func sentAt(job *trail.Job, seconds int64) time.Time {
	if seconds == 0 {
		return job.Manifest.FinishedAt
	}
	return time.Unix(seconds, 0)
}

// place is a link in its chunk.
type place struct {
	seq chat.Seq
	n   int
}

// expired are hosts of which no sample came.
type expired struct {
	hosts   map[string]bool
	sampled map[place]*fetch.Failure // nil for a link that is worth another try
}

// judge returns what is known of a link that need not be tried (again), nil for one that must.
func (e *expired) judge(l chat.Link, f *fetch.Fetcher) *fetch.Failure {
	if e == nil {
		return nil
	}
	failure, sampled := e.sampled[place{l.Seq, l.N}]
	if !sampled && e.hosts[f.Host(l.URL)] {
		return &fetch.Failure{State: fetch.Gone, Code: "expired"}
	}
	return failure
}

// sampled is what became of a link that was tried.
type sampled struct {
	at      place
	host    string
	came    bool
	told    bool           // whether it comes, and not only that the time ended
	failure *fetch.Failure // with which it never comes
}

// sample tries some links of each host, evenly spread over the chunk.
func (k *Kind) sample(ctx context.Context, job *trail.Job, body []byte) (*expired, error) {
	count := map[string]int{}
	each := func(visit func(host string, l chat.Link)) error {
		return eachMessage(job, body, func(_ int64, links []chat.Link) error {
			for _, l := range links {
				if host := k.Fetcher.Host(l.URL); host != "" {
					visit(host, l)
				}
			}
			return nil
		})
	}
	if err := each(func(host string, _ chat.Link) { count[host]++ }); err != nil {
		return nil, err
	}
	out := &expired{hosts: map[string]bool{}, sampled: map[place]*fetch.Failure{}}
	var tried []sampled
	var links []fetch.Link
	seen := map[string]int{}
	err := each(func(host string, l chat.Link) {
		i, n := seen[host], count[host]
		seen[host]++
		if n <= samples || i*samples/n == (i+1)*samples/n { // of so few none would be left out
			return
		}
		tried, links = append(tried, sampled{at: place{l.Seq, l.N}, host: host}), append(links, fetch.Link{URL: l.URL, Size: l.Size})
		out.hosts[host] = true
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithDeadline(ctx, job.End)
	defer cancel()
	err = k.Fetcher.Fetch(ctx, job.Until, links, func(_ context.Context, i int, file *fetch.File, err error) {
		s := &tried[i]
		s.came = file != nil
		failure, failed := errors.AsType[*fetch.Failure](err)
		s.told = !failed || !cut(job, failure)
		if failed && !failure.Passing {
			s.failure = failure
		}
	})
	if err != nil {
		return nil, err
	}
	for _, s := range tried {
		out.sampled[s.at] = s.failure
		if s.came {
			out.hosts[s.host] = false
		} else if !s.told && !job.Whole {
			return nil, trail.ErrTimeUp
		}
	}
	return out, nil
}
