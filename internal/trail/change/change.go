// Package change is the trail of looks: before a chunk expires, it is asked for once more, and what differs is kept.
//
// It owns when a chunk is due, what a difference is called, and the account of every seq that was looked at. It must never
// call deleted what may have expired, keep a difference without the sum of the line that it is about, or hold a chunk in
// memory unpacked.
package change

import (
	"context"
	"errors"
	"fmt"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/pull"
	"chatexport/internal/trail"
	"chatexport/internal/trail/media"
)

// rest is how long a chunk that is older than EXPORT_LOOK is left alone once it was listed.
const rest = 24 * time.Hour

// Kind is the trail for all streams of a process.
type Kind struct {
	After      time.Duration // how long after its first message was sent a chunk is looked at (EXPORT_LOOK)
	Retention  time.Duration // how long the service stores messages (CHAT_RETENTION_DAYS)
	Exhaustive bool          // what nothing proves to have expired is looked at all the same (EXPORT_VOID)
	Files      *media.Kind   // brings the files of what is new; nil leaves them out (EXPORT_MEDIA)
}

var _ trail.Kind = (*Kind)(nil)

// Form implements trail.Kind.
func (k *Kind) Form() archive.Trail { return archive.Change() }

// Due implements trail.Kind: every chunk is looked at that is not all expired, when its oldest message is old enough, but not
// right after it was listed.
func (k *Kind) Due(m *archive.Manifest, c *archive.ChunkEntry) (time.Time, bool) {
	earliest, latest := m.FinishedAt.Add(min(k.After, rest)), m.FinishedAt.Add(k.After)
	due := earliest
	if c.TsMin > 0 {
		due = time.Unix(c.TsMin, 0).Add(k.After)
	}
	switch {
	case due.Before(earliest):
		due = earliest
	case due.After(latest):
		due = latest
	}
	return due, c.Expired != int64(c.Hi-c.Lo+1)
}

// Begin implements trail.Kind.
func (k *Kind) Begin(b trail.Batch) trail.Work {
	l := &looker{Kind: k, Batch: b}
	return l.work
}

// looker looks at the chunks of one stream in one batch.
type looker struct {
	*Kind
	trail.Batch

	// floor is the first seq that the service may still have, as far as this batch has found out; 0 as long as it has not.
	floor chat.Seq
	// walks means that nothing proves where that is: what is old and does not come has expired, up to the first message that
	// comes.
	walks bool
}

func (l *looker) work(ctx context.Context, job *trail.Job) error {
	body, err := job.Read(ctx)
	if errors.Is(err, trail.ErrUnread) {
		return l.count(ctx, job, job.Chunk.Hi, archive.ChangeUnread)
	}
	if err != nil {
		return err
	}
	pulling, cancel := context.WithDeadline(ctx, job.End)
	defer cancel()
	bottom, err := l.bottom(pulling, job)
	if err == nil && l.floor == 0 {
		err = l.findFloor(pulling, job, body, bottom)
	}
	switch {
	case outOfTime(pulling, err):
		return trail.ErrTimeUp
	case err != nil:
		return err
	case job.Chunk.Hi < l.floor:
		return l.expired(ctx, job)
	}
	return l.compare(ctx, pulling, job, body, bottom)
}

// outOfTime reports whether nothing but the end of the time for pulling is behind an error.
func outOfTime(pulling context.Context, err error) bool {
	return err != nil && (pulling.Err() != nil || pull.OutOfTime(err))
}

// bottom reads the page that shows whether the oldest messages that are to be looked at are still there.
func (l *looker) bottom(ctx context.Context, job *trail.Job) (chat.Page, error) {
	top := min(job.Chunk.Hi, job.From()+chat.PageSize-1)
	if top < l.floor {
		return chat.Page{}, nil
	}
	page, err := l.Reader.SurePage(ctx, top, int(top-job.From()+1))
	if err != nil {
		return page, fmt.Errorf("look at the messages up to %d: %w", top, err)
	}
	return page, nil
}

// findFloor finds out whether the oldest messages of the chunk have expired, if they do not come. What was deleted right above the
// floor cannot be told from expired.
func (l *looker) findFloor(ctx context.Context, job *trail.Job, body []byte, bottom chat.Page) error {
	first, err := firstRetained(job, body)
	if err != nil {
		return err
	}
	l.floor = job.From()
	lowest := lowestRetained(bottom, job.From())
	if first == 0 || lowest != 0 && lowest <= first { // it was no message then, or it is still there
		return nil
	}
	v := pull.Void{From: job.From(), Known: lowest - 1, Head: lowest - 1, Exhaustive: l.Exhaustive, End: job.End}
	if lowest == 0 {
		v.Known, v.Head = min(job.Chunk.Hi, job.From()+chat.PageSize-1), job.To-1
	}
	found, err := l.Reader.Floor(ctx, v)
	if err != nil {
		return fmt.Errorf("find out what has expired: %w", err)
	}
	switch {
	case found.Proved, l.old(job) && found.First > job.From():
		l.floor = max(l.floor, found.First)
	case l.old(job):
		l.walks = true
	} // else it was deleted: it is too young to have expired
	return nil
}

// old reports whether the oldest messages of a chunk should have expired.
func (l *looker) old(job *trail.Job) bool {
	return job.Chunk.TsMin > 0 && time.Since(time.Unix(job.Chunk.TsMin, 0)) > l.Retention
}

// firstRetained returns the first seq from which on the chunk has something that the service had stored, 0 if it has none.
func firstRetained(job *trail.Job, body []byte) (first chat.Seq, err error) {
	for e, err := range job.Elements(body) {
		if err != nil {
			return 0, err
		}
		if e.Retained() {
			return e.Seq, nil
		}
	}
	return 0, nil
}

// lowestRetained returns the first seq from from on that a page shows to be stored, 0 if there is none.
func lowestRetained(page chat.Page, from chat.Seq) (lowest chat.Seq) {
	for i := range page.Elements {
		if e := &page.Elements[i]; e.Retained() && e.Seq >= from && (lowest == 0 || e.Seq < lowest) {
			lowest = e.Seq
		}
	}
	return lowest
}

// expired accounts for all due chunks below the floor, however many, in one receipt.
func (l *looker) expired(ctx context.Context, job *trail.Job) error {
	hi := job.Chunk.Hi
	for c, err := range job.Due(ctx) {
		if err != nil {
			return err
		}
		if c.Hi >= l.floor {
			break
		}
		hi = c.Hi
	}
	l.Log.Warn().Int64("lo", int64(job.From())).Int64("hi", int64(hi)).Msg("messages have expired before they could be looked at again")
	return l.count(ctx, job, hi, archive.ChangeExpired)
}

// count writes a receipt of which every seq is of one kind without lines.
func (l *looker) count(ctx context.Context, job *trail.Job, hi chat.Seq, kind string) error {
	var w archive.ChangeWriter
	w.Count(kind, int64(hi-job.From()+1))
	now := time.Now().Unix()
	return job.Put(ctx, hi, 0, func(m archive.ReceiptMeta) (archive.Receipt, error) {
		m.From, m.To = now, now
		return w.Receipt(m)
	})
}
