package export

import (
	"context"
	"errors"
	"fmt"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/retry"
)

const (
	// settlingAge is how old the newest message must be before a hole among the newest is taken for final: a seq is
	// allotted before its message can be read.
	settlingAge = 2 * time.Minute
	// settlingSeqs is how many of the newest seqs may still be on their way.
	settlingSeqs = 40
	// toldAge is how old a caller's knowledge of a group may be.
	toldAge = 10 * time.Minute
)

// findHead reads the newest seq and decides how far this batch goes: to the smaller of the run's head and what can be
// read now.
func (b *batch) findHead(ctx context.Context) error {
	ctx, cancel := b.pullContext(ctx)
	defer cancel()
	if err := b.readNewest(ctx); err != nil {
		return err
	}
	if b.runHead == 0 && b.told() {
		b.createTime = b.Known.CreateTime
		if b.head < b.Known.NextSeq {
			b.lastTime = b.Known.LastTime // else something newer has come meanwhile
		}
	} else if b.runHead == 0 || b.head == 0 || b.behind() {
		group, err := b.group(ctx)
		if err != nil && (b.head == 0 || b.behind() || ctx.Err() != nil) {
			return err
		}
		if err != nil { // what can be read is not left to expire for want of what is told of it
			b.Log.Warn().Str("code", codeOf(err)).Err(err).Msg("the run goes on without group information")
		}
		b.createTime, b.lastTime = group.CreateTime, group.LastTime
		if b.head == 0 && group.NextSeq != 1 {
			if err := b.lookAgain(ctx, group.NextSeq); err != nil {
				return err
			}
			if b.head >= group.NextSeq {
				b.lastTime = 0 // what is newest now came after the group was asked
			}
		}
		if err := b.checkIdentity(group); err != nil {
			return err
		}
	}
	b.notice()
	if b.genesis == nil {
		return nil // begin settles the head: what may be missing depends on where the history begins
	}
	return b.settleHead(ctx, b.newest, b.frontier)
}

// notice remembers the newest seq from one batch to another. A group that is never quiet when a tick comes, or whose
// newest message tells no time, would hold its holes open for ever, and with them all that is above, until it expires.
// Seen without the newest seq as it was is another group's, or of one that lost its newest messages.
func (b *batch) notice() {
	seen, now := b.state.Seen, time.Now()
	if seen != nil && seen.Seq <= b.head && !seen.At.After(now) {
		if now.Sub(seen.At) < settlingAge {
			return
		}
		b.allotted = seen.Seq
	}
	if b.head > 0 {
		b.state.Seen = &archive.Seen{Seq: b.head, At: now}
	}
}

// told reports whether the caller knows of the group what a call would tell, and that it is the archived one. Anything
// that speaks against it is asked for. A group that was recreated since the caller was told escapes this batch only if it
// has had as many messages as the old one in those minutes; the next sweep sees it by its time of creation.
func (b *batch) told() bool {
	k := b.Known
	if k == nil || k.CreateTime == 0 || k.NextSeq == 0 || time.Since(k.At) > toldAge || b.head < k.NextSeq-1 || b.behind() {
		return false
	}
	return b.head > 0 && (b.genesis == nil || b.genesis.CreateTime == 0 || b.genesis.CreateTime == k.CreateTime)
}

// readNewest reads the newest page. One that is short may have been cut at its top, which is then looked for by itself:
// the smallest page that is not empty begins with it.
func (b *batch) readNewest(ctx context.Context) error {
	page, err := b.newestPage(ctx, chat.PageSize)
	if err != nil {
		return err
	}
	if n := len(page.Elements); n > 0 && n < chat.PageSize && page.Finished != chat.FinishedInterval {
		var top chat.Page
		for n := 1; n < chat.PageSize && len(top.Elements) == 0; n++ {
			if top, err = b.newestPage(ctx, n); err != nil {
				return err
			}
		}
		page.Elements = append(page.Elements, top.Elements...)
	}
	b.newest, b.head = page, page.Newest()
	return nil
}

func (b *batch) newestPage(ctx context.Context, number int) (chat.Page, error) {
	page, err := b.reader.Page(ctx, 0, number)
	if err != nil {
		return page, fmt.Errorf("read the newest page: %w", err)
	}
	return page, nil
}

// lookAgain finds the head of a stream whose newest page was empty although it has had messages: for a moment, or since
// the newest were deleted. next is the seq of the next message, 0 if unknown.
func (b *batch) lookAgain(ctx context.Context, next chat.Seq) error {
	if err := b.readNewest(ctx); err != nil {
		return err
	}
	top := next - 1 - chat.PageSize
	if b.head > 0 || top < max(b.frontier, 1) {
		return nil
	}
	page, err := b.reader.SurePage(ctx, top, chat.PageSize)
	if err != nil {
		return fmt.Errorf("read below the newest page: %w", err)
	}
	b.newest, b.head = page, page.Newest()
	if b.head == 0 {
		b.head = max(0, next-1-settlingSeqs) // what is above may still be on its way
	}
	return nil
}

// behind reports whether the newest seq lies below what is archived.
func (b *batch) behind() bool { return b.genesis != nil && b.head > 0 && b.head < b.frontier-1 }

// checkIdentity makes sure that the group is the one whose archive this is. A recreated group begins again at seq 1.
func (b *batch) checkIdentity(group chat.Facts) error {
	if b.genesis == nil {
		return nil
	}
	if was := b.genesis.CreateTime; was != 0 && group.CreateTime != 0 && was != group.CreateTime {
		return recreated("the group was created at %d, the archived one at %d", group.CreateTime, was)
	}
	if (b.behind() || b.head == 0 && group.NextSeq > 0) && group.NextSeq < b.frontier {
		return recreated("the group's newest seq is %d, and %d is archived", b.head, b.frontier-1)
	}
	return nil
}

func recreated(format string, args ...any) error {
	return &verdict{
		status: archive.StatusRecreated, code: "recreated",
		text: fmt.Sprintf(format, args...) + "; the old archive is kept; give the new group another COS_PREFIX",
	}
}

// settleHead keeps the head below the first of the newest seqs that may still be on its way, and freezes the run's
// head. Nothing below from is looked at. The head of a run that is under way was settled when it began.
func (b *batch) settleHead(ctx context.Context, newest chat.Page, from chat.Seq) error {
	if b.runHead == 0 {
		settled, err := b.settled(ctx, newest, from)
		if err != nil {
			return err
		}
		b.runHead = settled
	}
	b.head = min(b.head, b.runHead)
	return nil
}

func (b *batch) settled(ctx context.Context, newest chat.Page, from chat.Seq) (chat.Seq, error) {
	head := b.head
	if !b.young(newest, head) {
		return head, nil
	}
	from = max(from, head-settlingSeqs+1, b.allotted+1)
	there := make(map[chat.Seq]bool, settlingSeqs)
	note := func(elements []chat.Element) chat.Seq { // returns the first seq that is still missing
		for i := range elements {
			if e := &elements[i]; e.Retained() {
				there[e.Seq] = true
			}
		}
		for there[from] {
			from++
		}
		return from
	}
	missing := note(newest.Elements)
	if below := head - chat.PageSize; below >= missing {
		page, err := b.reader.Page(ctx, below, chat.PageSize)
		if err != nil {
			return 0, fmt.Errorf("read below the newest page: %w", err)
		}
		missing = note(page.Elements)
	}
	if missing > head {
		return head, nil
	}
	// A page that was cut lacks messages that are there.
	seg, err := b.reader.Segment(ctx, missing, head)
	if err != nil {
		return 0, fmt.Errorf("look for what is missing among the newest messages: %w", err)
	}
	b.newest = chat.Page{} // it lacks what may have come since
	return note(seg.Elements) - 1, nil
}

// young reports whether the newest message is so new that others may still be on their way. Where neither the message
// nor the group says how new it is, it may be: the next tick is soon enough for it.
func (b *batch) young(p chat.Page, head chat.Seq) bool {
	newest := b.lastTime
	for i := range p.Elements {
		if e := &p.Elements[i]; e.Seq == head {
			newest = max(newest, e.Time)
		}
	}
	return newest == 0 || time.Since(time.Unix(newest, 0)) < settlingAge
}

// group asks what the service tells about the stream. An app may lack the permission: then nothing is known.
func (b *batch) group(ctx context.Context) (chat.Facts, error) {
	var group chat.Facts
	err := b.reader.Caller.Call(ctx, func(ctx context.Context) error {
		var err error
		group, err = b.Source.Group(ctx, b.Stream)
		return err
	})
	if err == nil {
		return group, nil
	}
	if retry.ClassOf(err) == retry.Permanent && (errors.Is(err, chat.ErrUnsupported) || errors.Is(err, chat.ErrGone)) {
		// The history answered a moment ago, so this is a refusal to tell, not the end of the group.
		b.Log.Debug().Err(err).Msg("group information is not available")
		return chat.Facts{}, nil
	}
	return group, fmt.Errorf("read group information: %w", err)
}
