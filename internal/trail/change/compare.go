package change

import (
	"context"
	"errors"
	"iter"
	"strings"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/pull"
	"chatexport/internal/trail"
)

const (
	// maxLines and maxTime close a receipt: what was found is kept before anything can go wrong.
	maxLines = 4 << 20
	maxTime  = time.Minute
	// A stream whose seqs were given anew differs in nearly everything; a few messages alone prove nothing.
	fewCompared   = 5
	unlikeToTrust = 2 // one in so many
)

// look is the work on one chunk: what came then beside what comes now.
type look struct {
	*looker
	job *trail.Job

	began    time.Time                          // before anything was asked
	archived func() (chat.Element, error, bool) // the next line of the chunk
	was      chat.Element                       // that was not reached yet; Seq is 0 behind the last
	part     part
}

// part is what goes into the next receipt.
type part struct {
	archive.ChangeWriter
	began    time.Time
	bytes    int64    // of files
	compared int      // messages that came then and now
	unlike   int      // of these, those that are no versions of one message
	lost     bool     // something does not come any more
	below    chat.Seq // the last message that came before the first that was lost; 0 if there is none
}

// compare looks at the rest of the chunk and writes its receipts.
func (l *looker) compare(ctx, pulling context.Context, job *trail.Job, began time.Time, body []byte, bottom chat.Page) error {
	next, stop := iter.Pull2(job.Elements(body))
	defer stop()
	v := &look{looker: l, job: job, began: began, archived: next, part: part{began: time.Now()}}
	if err := v.read(); err != nil {
		return err
	}
	lo := job.From()
	if lo < l.floor {
		v.part.Count(archive.ChangeExpired, int64(l.floor-lo))
		if err := v.skip(l.floor); err != nil {
			return err
		}
		lo = l.floor
	}
	segments := l.Reader.Segments(pulling, lo, job.Chunk.Hi, func() bool { return !time.Now().Before(job.Until) }, bottom)
	defer segments.Stop()
	done := lo - 1
	for {
		segment, more, failed := segments.Next()
		if segment.Hi >= segment.Lo && more {
			var err error
			if done, err = v.segment(ctx, segment); err != nil {
				failed = err
			}
		}
		ended := !more || failed != nil
		if done >= job.From() && (ended || v.part.Size() > maxLines || time.Since(v.part.began) > maxTime) {
			if err := v.put(ctx, done); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(failed, trail.ErrTimeUp), outOfTime(pulling, failed), ended && failed == nil && done < job.Chunk.Hi:
			return trail.ErrTimeUp
		case ended:
			return failed
		}
	}
}

// read goes on to the next line of the chunk.
func (v *look) read() error {
	e, err, more := v.archived()
	if v.was = e; !more {
		v.was = chat.Element{}
	}
	return err
}

// skip passes the lines below a seq.
func (v *look) skip(seq chat.Seq) error {
	for v.was.Seq != 0 && v.was.Seq < seq {
		if err := v.read(); err != nil {
			return err
		}
	}
	return nil
}

// segment compares what came of a range, and returns the last seq that it has accounted for.
func (v *look) segment(ctx context.Context, s pull.Segment) (chat.Seq, error) {
	for seq := s.Lo; seq <= s.Hi; seq++ {
		var was, now *chat.Element
		if v.was.Seq == seq {
			was = &v.was
		}
		if len(s.Elements) > 0 && s.Elements[0].Seq == seq {
			now, s.Elements = &s.Elements[0], s.Elements[1:]
		}
		if err := v.seq(ctx, seq, was, now); err != nil {
			return seq - 1, err
		}
		if was != nil {
			if err := v.read(); err != nil {
				return seq, err
			}
		}
	}
	return s.Hi, nil
}

// seq accounts for one seq. Of an absent one there is no element.
func (v *look) seq(ctx context.Context, seq chat.Seq, was, now *chat.Element) error {
	if v.walks = v.walks && (now == nil || !now.Retained()); v.walks {
		v.bare = seq
		v.part.Count(archive.ChangeExpired, 1)
		return nil
	}
	likeness := chat.Unlike
	if was != nil && now != nil && isMessage(was) && isMessage(now) {
		likeness = chat.Compare(was.JSON, now.JSON)
		if v.part.compared++; likeness == chat.Unlike {
			v.part.unlike++
		}
	}
	kind := kindOf(was, now, likeness)
	switch {
	case now != nil && now.Retained():
		if !now.Malformed || v.seen == 0 { // one that can be read is seen again by one call
			v.seen = seq
		}
	case kind != archive.ChangeSame && !v.part.lost:
		v.part.lost, v.part.below = true, v.seen
	}
	if kind == archive.ChangeSame {
		v.part.Count(kind, 1)
		return nil
	}
	line := archive.ChangeLine{Seq: seq, Kind: kind, SeenAt: time.Now().Unix()}
	if was != nil {
		line.Was = archive.SHA256(was.JSON)
	}
	if now != nil {
		line.Now = archive.Line(v.Stream, now)
		if links := newLinks(was, now); v.Files != nil && len(links) > 0 {
			var err error
			if line.Media, err = v.Files.Resolve(ctx, v.job, now.Time, links); err != nil {
				return err
			}
			for i := range line.Media {
				v.part.bytes += line.Media[i].Bytes
			}
		}
	}
	return v.part.Add(line)
}

// kindOf names what became of a seq.
func kindOf(was, now *chat.Element, likeness chat.Likeness) string {
	before, after := chat.ClassAbsent, chat.ClassAbsent
	if was != nil {
		before = was.Class()
	}
	if now != nil {
		after = now.Class()
	}
	nothing := before == chat.ClassAbsent || before == chat.ClassPlaceholder // there was nothing to lose
	unknown := before == chat.ClassAbsent || before == chat.ClassMalformed
	switch after {
	case chat.ClassAbsent:
		if nothing {
			return archive.ChangeSame
		}
		return archive.ChangeMissing
	case chat.ClassPlaceholder:
		if nothing {
			return archive.ChangeSame
		}
		return archive.ChangeDeleted
	case before: // recalled and malformed ones stay what they are
		if !isMessage(was) || likeness == chat.Alike {
			return archive.ChangeSame
		}
		return archive.ChangeEdited
	default:
		switch {
		case unknown:
			return archive.ChangeFound
		case after == chat.ClassRecalled:
			return archive.ChangeRecalled
		default:
			return archive.ChangeEdited
		}
	}
}

// isMessage reports whether an element has a content that can be compared.
func isMessage(e *chat.Element) bool {
	return e.Class() == chat.ClassMessage || e.Class() == chat.ClassSystem
}

// newLinks returns the links of an element, but for files that are archived already: those of the element before.
func newLinks(was, now *chat.Element) []chat.Link {
	known := map[string]bool{}
	if was != nil {
		for _, l := range chat.Links(was) {
			known[withoutQuery(l.URL)] = true
		}
	}
	links := chat.Links(now)
	fresh := links[:0]
	for _, l := range links {
		if l.URL == "" || !known[withoutQuery(l.URL)] {
			fresh = append(fresh, l)
		}
	}
	return fresh
}

func withoutQuery(url string) string {
	url, _, _ = strings.Cut(url, "?")
	return url
}

// put writes the receipt of what was looked at up to hi, and begins the next part.
func (v *look) put(ctx context.Context, hi chat.Seq) error {
	p := v.part
	if p.compared >= fewCompared && p.unlike*unlikeToTrust >= p.compared {
		return trail.ErrRecreated
	}
	if p.lost && v.old(v.job) {
		if err := v.stands(ctx, p.below); err != nil {
			return err
		}
	}
	err := v.job.Put(ctx, hi, p.bytes, func(m archive.ReceiptMeta) (archive.Receipt, error) {
		m.From, m.To = v.began.Unix(), time.Now().Unix() // pages are pulled ahead of the part that they belong to
		return p.Receipt(m)
	})
	v.part = part{began: time.Now()}
	return err
}
