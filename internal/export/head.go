package export

import (
	"context"
	"errors"
	"fmt"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/pull"
	"chatexport/internal/retry"
)

// toldAge is how old a caller's knowledge of a group may be.
const toldAge = 10 * time.Minute

// head is how far a batch goes, complete when findHead returns.
type head struct {
	to     chat.Seq // this batch works up to here; 0 if there is nothing yet
	run    chat.Seq // the run's head, frozen by its first batch
	walkTo chat.Seq // up to here, voids have been looked into and are to be walked

	top      chat.Seq // the newest seq that can be read; 0 if there is none
	newest   chat.Page
	first    chat.Page  // the page that showed where the history begins; empty if none had to
	floor    pull.Floor // of a stream without an archive: where that is to begin
	created  int64      // when the group was created; 0 if unknown
	lastTime int64      // of the group's newest message; 0 if unknown
	allotted chat.Seq   // up to here, seqs were allotted so long ago that nothing is on its way any more
}

// findHead reads the newest seq and decides how far this batch goes: to the smaller of the run's head, which its first
// batch settled, and what can be read now. For a stream without an archive it also finds where that is to begin.
func findHead(ctx context.Context, h *hints, t *tail) (head, error) {
	s := t.session
	ctx, cancel := context.WithDeadline(ctx, s.budget.pullEnd)
	defer cancel()
	goal := head{run: t.head}
	if err := goal.find(ctx, t); err != nil {
		return head{}, err
	}
	goal.allotted = h.allotted(goal.top)
	if goal.to = goal.top; goal.to == 0 {
		return goal, nil
	}
	from := t.frontier
	if t.genesis == nil {
		begins, err := goal.begin(ctx, s)
		if err != nil || !begins {
			goal.to = 0
			return goal, err
		}
		from = goal.floor.First
	}
	if goal.run == 0 {
		var err error
		if goal.run, err = goal.settled(ctx, s, from); err != nil {
			return head{}, err
		}
	}
	goal.to = min(goal.top, goal.run)
	if t.genesis == nil {
		switch {
		case from > goal.top: // everything has expired: the archive begins behind it
			goal.to = goal.top
		case goal.to < from: // what there is may still be settling
			goal.to = 0
		}
	}
	return goal, nil
}

// begin finds where the history of a stream without an archive begins. It reports false if that cannot be told yet.
func (h *head) begin(ctx context.Context, s *session) (bool, error) {
	var err error
	if h.floor, h.first, err = s.reader.Beginning(ctx, h.newest, s.void(1, 0, h.top)); err != nil {
		return false, err
	}
	h.walkTo = h.floor.WalkTo
	return h.floor.First <= h.mayCome(1) || !h.young(), nil // what seems to have expired may still be on its way
}

// find reads the newest page and, where they are needed, the facts of the group, which tell whether it is the archived one.
func (h *head) find(ctx context.Context, t *tail) error {
	if err := h.readNewest(ctx, t.session); err != nil {
		return err
	}
	if h.run == 0 && h.told(t) {
		h.created = t.Known.CreateTime
		if h.top < t.Known.NextSeq {
			h.lastTime = t.Known.LastTime // else something newer has come meanwhile
		}
		return nil
	}
	behind := t.above(h.top)
	if h.run != 0 && h.top != 0 && !behind {
		return nil
	}
	facts, err := readFacts(ctx, t.session)
	if err != nil && (h.top == 0 || behind || ctx.Err() != nil) {
		return err
	}
	if err != nil { // what can be read is not left to expire for want of what is told of it
		t.Log.Warn().Str("code", codeOf(err)).Err(err).Msg("the run goes on without group information")
	}
	h.created, h.lastTime = facts.CreateTime, facts.LastTime
	if h.top == 0 && facts.NextSeq != 1 {
		if err := h.lookAgain(ctx, t, facts.NextSeq); err != nil {
			return err
		}
		if h.top >= facts.NextSeq {
			h.lastTime = 0 // what is newest now came after the group was asked
		}
	}
	return h.identify(t, facts)
}

// told reports whether the caller knows of the group what a call would tell, and that it is the archived one. Anything
// that speaks against it is asked for. A group that was recreated since the caller was told escapes this batch only if it
// has had as many messages as the old one in those minutes; the next sweep sees it by its time of creation.
func (h *head) told(t *tail) bool {
	k := t.Known
	if k == nil || k.CreateTime == 0 || k.NextSeq == 0 || time.Since(k.At) > toldAge || h.top < k.NextSeq-1 || t.above(h.top) {
		return false
	}
	return h.top > 0 && (t.genesis == nil || t.genesis.CreateTime == 0 || t.genesis.CreateTime == k.CreateTime)
}

// readNewest reads the newest page. One that is short may have been cut at its top, which is then looked for by itself:
// the smallest page that is not empty begins with it.
func (h *head) readNewest(ctx context.Context, s *session) error {
	read := func(number int) (chat.Page, error) {
		page, err := s.reader.Page(ctx, 0, number)
		if err != nil {
			return page, fmt.Errorf("read the newest page: %w", err)
		}
		return page, nil
	}
	page, err := read(chat.PageSize)
	if n := len(page.Elements); err == nil && n > 0 && n < chat.PageSize && page.Finished != chat.FinishedInterval {
		var top chat.Page
		for n := 1; err == nil && n < chat.PageSize && len(top.Elements) == 0; n++ {
			top, err = read(n)
		}
		page.Elements = append(page.Elements, top.Elements...)
	}
	if pull.Unreadable(err) {
		return h.readTop(ctx, s, err)
	}
	if err != nil {
		return err
	}
	h.newest, h.top = page, page.Newest()
	return nil
}

// readTop finds the newest seq of a stream whose newest page cannot be read: alone the newest message may be readable, and
// else the group tells the seq of the next one. What is on the page is read when its turn comes.
func (h *head) readTop(ctx context.Context, s *session, cause error) error {
	page, err := s.reader.Page(ctx, 0, 1)
	if err != nil && !pull.Unreadable(err) {
		return fmt.Errorf("read the newest message: %w", err)
	}
	if h.newest, h.top = page, page.Newest(); h.top > 0 {
		return nil
	}
	facts, err := readFacts(ctx, s)
	if err != nil {
		return err
	}
	if h.top = facts.NextSeq - 1; h.top < 1 {
		return cause
	}
	return nil
}

// lookAgain finds the head of a stream whose newest page was empty although it has had messages: for a moment, or since
// the newest were deleted. next is the seq of the next message, 0 if unknown.
func (h *head) lookAgain(ctx context.Context, t *tail, next chat.Seq) error {
	if err := h.readNewest(ctx, t.session); err != nil {
		return err
	}
	top := next - 1 - chat.PageSize
	if h.top > 0 || top < max(t.frontier, 1) {
		return nil
	}
	page, err := t.reader.SurePage(ctx, top, chat.PageSize)
	if err != nil {
		return fmt.Errorf("read below the newest page: %w", err)
	}
	h.newest, h.top = page, page.Newest()
	if h.top == 0 {
		h.top = max(0, next-1-settlingSeqs) // what is above may still be on its way
	}
	return nil
}

// identify makes sure that the group is the one whose archive this is. A recreated group begins again at seq 1; in one that
// was not, seqs do not go back: an archive that reaches above them holds what was never sent.
func (h *head) identify(t *tail, facts chat.Facts) error {
	if t.genesis == nil {
		return nil
	}
	was, known := t.genesis.CreateTime, t.genesis.CreateTime != 0 && facts.CreateTime != 0
	ahead := (t.above(h.top) || h.top == 0 && facts.NextSeq > 0) && facts.NextSeq < t.frontier
	switch {
	case known && was != facts.CreateTime:
		return recreated("the group was created at %d, the archived one at %d", facts.CreateTime, was)
	case ahead && known && facts.NextSeq > 0:
		return damaged("frontier_ahead", "%d is archived, but the group's next seq is %d, and it was not recreated", t.frontier-1, facts.NextSeq)
	case ahead:
		return recreated("the group's newest seq is %d, and %d is archived", h.top, t.frontier-1)
	default:
		return nil
	}
}

func recreated(format string, args ...any) error {
	return &verdict{
		status: archive.StatusRecreated, code: "recreated",
		text: fmt.Sprintf(format, args...) + "; the old archive is kept; give the new group another COS_PREFIX",
	}
}

// readFacts asks what the service tells about the stream. An app may lack the permission: then nothing is known.
func readFacts(ctx context.Context, s *session) (chat.Facts, error) {
	var facts chat.Facts
	err := s.reader.Caller.Call(ctx, func(ctx context.Context) error {
		var err error
		facts, err = s.Source.Group(ctx, s.Stream)
		return err
	})
	if err == nil {
		return facts, nil
	}
	if retry.ClassOf(err) == retry.Permanent && (errors.Is(err, chat.ErrUnsupported) || errors.Is(err, chat.ErrGone)) {
		// The history answered a moment ago, so this is a refusal to tell, not the end of the group.
		s.Log.Debug().Err(err).Msg("group information is not available")
		return chat.Facts{}, nil
	}
	return facts, fmt.Errorf("read group information: %w", err)
}
