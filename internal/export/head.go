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
)

// findHead reads the newest seq and decides how far this batch goes: to the smaller of the run's head and what can be
// read now.
func (b *batch) findHead(ctx context.Context) error {
	ctx, cancel := b.pullContext(ctx)
	defer cancel()
	newest, err := b.page(ctx, chat.Query{Stream: b.Stream, Number: chat.PageSize})
	if err != nil {
		return fmt.Errorf("read the newest page: %w", err)
	}
	b.newest, b.head = newest, newest.Newest()
	if err := b.checkIdentity(ctx); err != nil {
		return err
	}
	if b.genesis == nil {
		return nil // begin settles the head: what may be missing depends on where the history begins
	}
	return b.settleHead(ctx, newest, b.frontier)
}

// checkIdentity makes sure that the group is the one whose archive this is. A recreated group begins again at seq 1.
func (b *batch) checkIdentity(ctx context.Context) error {
	first := b.runHead == 0
	behind := b.genesis != nil && b.head > 0 && b.head < b.frontier-1
	if !first && !behind {
		return nil
	}
	group, err := b.group(ctx)
	if err != nil {
		return err
	}
	b.createTime = group.CreateTime
	if b.genesis == nil {
		return nil
	}
	if was := b.genesis.CreateTime; was != 0 && group.CreateTime != 0 && was != group.CreateTime {
		return recreated("the group was created at %d, the archived one at %d", group.CreateTime, was)
	}
	if (behind || b.head == 0 && group.NextSeq > 0) && group.NextSeq < b.frontier {
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
// head. Nothing below from is looked at.
func (b *batch) settleHead(ctx context.Context, newest chat.Page, from chat.Seq) error {
	settled, err := b.settled(ctx, newest, from)
	if err != nil {
		return err
	}
	b.head = settled
	if b.runHead == 0 {
		b.runHead = b.head
	}
	b.head = min(b.head, b.runHead)
	return nil
}

func (b *batch) settled(ctx context.Context, newest chat.Page, from chat.Seq) (chat.Seq, error) {
	head := newest.Newest()
	if !young(newest, head) {
		return head, nil
	}
	from = max(from, head-settlingSeqs+1, 1)
	there := make(map[chat.Seq]bool, settlingSeqs)
	note := func(p chat.Page) {
		for i := range p.Elements {
			if e := &p.Elements[i]; e.Retained() {
				there[e.Seq] = true
			}
		}
	}
	note(newest)
	if below := head - chat.PageSize; below >= from {
		page, err := b.page(ctx, chat.Query{Stream: b.Stream, Seq: below, Number: chat.PageSize})
		if err != nil {
			return 0, fmt.Errorf("read below the newest page: %w", err)
		}
		note(page)
	}
	for seq := from; seq <= head; seq++ {
		if !there[seq] {
			return seq - 1, nil
		}
	}
	return head, nil
}

// young reports whether the newest message is so new that others may still be on their way. Where it has no time,
// nobody can tell, and the next tick is soon enough for what comes late.
func young(p chat.Page, head chat.Seq) bool {
	for i := range p.Elements {
		if e := &p.Elements[i]; e.Seq == head {
			return time.Since(time.Unix(e.Time, 0)) < settlingAge
		}
	}
	return false
}

// group asks what the service tells about the stream. An app may lack the permission: then nothing is known.
func (b *batch) group(ctx context.Context) (chat.Group, error) {
	var group chat.Group
	err := b.call(ctx, func(ctx context.Context) error {
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
		return chat.Group{}, nil
	}
	return group, fmt.Errorf("read group information: %w", err)
}
