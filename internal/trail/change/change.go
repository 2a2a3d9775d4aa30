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
	// walks means that it may lie higher, since nothing proves it or it moved on: what does not come has expired, up to the
	// first message that comes.
	walks bool
	// bare is the last seq up to which nothing came.
	bare chat.Seq
	// seen is the last message that came: as long as it is there, nothing above it has expired.
	seen chat.Seq
}

// errFloorMoved means that messages have expired while they were looked at.
var errFloorMoved = errors.New("messages have expired meanwhile")

func (l *looker) work(ctx context.Context, job *trail.Job) error {
	body, err := job.Read(ctx)
	if errors.Is(err, trail.ErrUnread) {
		return l.count(ctx, job, job.Chunk.Hi, archive.ChangeUnread)
	}
	if err != nil {
		return err
	}
	began := time.Now()
	pulling, cancel := context.WithDeadline(ctx, job.End)
	defer cancel()
	if l.walks && job.From() > l.bare+1 { // another batch has looked at what lies between
		l.floor, l.walks = 0, false
	}
	var bottom chat.Page
	if l.floor == 0 {
		bottom, err = l.findFloor(pulling, job, body)
	}
	switch {
	case outOfTime(pulling, err):
		return trail.ErrTimeUp
	case err != nil:
		return err
	case job.Chunk.Hi < l.floor:
		return l.expired(ctx, job)
	}
	err = l.compare(ctx, pulling, job, began, body, bottom)
	if errors.Is(err, errFloorMoved) {
		l.floor, l.walks, l.seen = 0, false, 0
		return l.work(ctx, job)
	}
	return err
}

// outOfTime reports whether nothing but the end of the time for pulling is behind an error.
func outOfTime(pulling context.Context, err error) bool {
	return err != nil && (pulling.Err() != nil || pull.OutOfTime(err))
}

// findFloor finds out whether the oldest messages of the chunk have expired, if they do not come. What was deleted right above the
// floor cannot be told from expired. It returns the page that it read.
func (l *looker) findFloor(ctx context.Context, job *trail.Job, body []byte) (chat.Page, error) {
	first, err := firstRetained(job, body)
	if err != nil || first == 0 { // there is nothing that could have expired
		return chat.Page{}, err
	}
	top := min(job.Chunk.Hi, job.From()+chat.PageSize-1)
	bottom, err := l.Reader.WholePage(ctx, top, int(top-job.From()+1))
	if err != nil && !pull.Unreadable(err) {
		return bottom, fmt.Errorf("look at the messages up to %d: %w", top, err)
	}
	var found pull.Floor
	if err == nil { // else something is there, and which it is takes many calls
		lowest := bottom.OldestRetained(job.From(), top)
		if lowest != 0 && lowest <= first { // it is still there
			l.floor = job.From()
			return bottom, nil
		}
		v := pull.Void{From: job.From(), Known: lowest - 1, Head: lowest - 1, Exhaustive: l.Exhaustive, End: job.End}
		if lowest == 0 {
			v.Known, v.Head = top, job.To-1
		}
		if found, err = l.Reader.Floor(ctx, v); err != nil {
			return bottom, fmt.Errorf("find out what has expired: %w", err)
		}
	}
	if !found.Proved && l.old(job) {
		if err := l.olderStands(ctx, job); err != nil {
			return bottom, err
		}
	}
	l.floor = job.From()
	if found.Proved || l.old(job) && l.seen == 0 {
		l.floor, l.walks = max(l.floor, found.First), true
		l.bare = l.floor - 1
	} // else it was deleted: it is too young to have expired, or older ones are still there
	return bottom, nil
}

// olderStands finds out whether messages right below those that are to be looked at are still there: then none of these has
// expired.
func (l *looker) olderStands(ctx context.Context, job *trail.Job) error {
	below := job.From() - 1
	if below == 0 {
		return nil
	}
	page, err := l.Reader.WholePage(ctx, below, int(min(below, chat.PageSize)))
	if err != nil && !pull.Unreadable(err) {
		return fmt.Errorf("look at the messages up to %d: %w", below, err)
	}
	l.seen = page.OldestRetained(1, below)
	return nil
}

// old reports whether the oldest messages of a chunk should have expired.
func (l *looker) old(job *trail.Job) bool {
	sent := job.Manifest.FinishedAt
	if job.Chunk.TsMin > 0 {
		sent = time.Unix(job.Chunk.TsMin, 0)
	}
	return time.Since(sent) > l.Retention
}

// stands makes sure that a message is still there. Without that nothing of a receipt can be kept, so that it may take half of the
// time that is left for writing it.
func (l *looker) stands(ctx context.Context, seq chat.Seq) error {
	if seq == 0 {
		return errFloorMoved
	}
	if end, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(end)/2)
		defer cancel()
	}
	page, err := l.Reader.SurePage(ctx, seq, 1)
	if outOfTime(ctx, err) {
		return trail.ErrTimeUp
	}
	if err != nil {
		return fmt.Errorf("look at message %d again: %w", seq, err)
	}
	if page.OldestRetained(seq, seq) == 0 {
		return errFloorMoved
	}
	return nil
}

// firstRetained returns the first seq from which on the chunk has something that the service had stored, 0 if it has none.
func firstRetained(job *trail.Job, body []byte) (chat.Seq, error) {
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
