package sweep

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sync/errgroup"

	"chatexport/internal/chat"
	"chatexport/internal/logging"
	"chatexport/internal/panics"
	"chatexport/internal/retry"
)

// spoiled are groups that a call could not describe, for a reason that may be one of theirs.
type spoiled struct {
	ids     []string
	failure error
}

// look reads what the app tells about the groups of a page. It reports whether all of them were looked at.
func (s *scan) look(ctx context.Context, ids []string) (bool, error) {
	fresh := s.fresh(ids)
	group, joint := errgroup.WithContext(ctx)
	group.SetLimit(s.Settings.Concurrency)
	whole := true
	for len(fresh) > 0 && whole {
		part := fresh[:min(infoPage, len(fresh))]
		fresh = fresh[len(part):]
		group.Go(func() error {
			return panics.Logged(s.log, func() error { return s.describe(joint, part, s.Caller.Policy, callShare) })
		})
		whole = len(fresh) == 0 || !s.timeIsUp() && !s.hopeless()
	}
	if err := group.Wait(); err != nil {
		return false, err
	}
	// One after the other: where nothing is answered any more, that is soon known.
	for len(s.spoiled) > 0 {
		next := s.spoiled[0]
		s.spoiled = s.spoiled[1:]
		if err := s.isolate(ctx, next); err != nil {
			return false, err
		}
	}
	return whole, nil
}

// fresh returns the groups of a page that are to be looked at.
func (s *scan) fresh(ids []string) []string {
	fresh := make([]string, 0, len(ids))
	for _, id := range ids {
		if s.seen[id] || !s.spec.wants(id) {
			continue
		}
		s.seen[id] = true
		if err := (chat.Stream{GroupID: id}).Validate(); err != nil {
			s.keep(infoLine{Facts: chat.Facts{Stream: chat.Stream{GroupID: id}}, Code: codeInvalidID, Text: err.Error()})
			continue
		}
		fresh = append(fresh, id)
	}
	return fresh
}

// hopeless reports whether many calls have failed and none has not: before more are made, it is to be found out why.
func (s *scan) hopeless() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.answered.Load() && len(s.spoiled) >= stuckAfter
}

// describe reads up to infoPage groups. If that fails for a reason that may be one group's, they are filed as spoiled.
func (s *scan) describe(ctx context.Context, ids []string, p retry.Policy, share float64) error {
	var infos []chat.Facts
	failure := s.call(ctx, s.Caller.Limiter, p, s.patience(share), func(ctx context.Context) error {
		var err error
		infos, err = s.Directory.GroupInfos(ctx, ids)
		return err
	})
	switch {
	case failure == nil:
		s.answered.Store(true)
	case ctx.Err() != nil, errors.Is(failure, errTimeUp), ofApp(failure):
		return fmt.Errorf("read group information: %w", failure)
	default:
		s.mu.Lock()
		defer s.mu.Unlock()
		s.spoiled = append(s.spoiled, spoiled{ids, failure})
		return nil
	}
	for i := range infos {
		if err := s.add(ctx, &infos[i]); err != nil {
			return err
		}
	}
	return nil
}

// isolate describes spoiled groups in two halves; what is spoiled of those comes next. A group that is left alone is
// kept with its failure, and gets exported without being known.
func (s *scan) isolate(ctx context.Context, sp spoiled) error {
	others := s.spoiled
	switch {
	case len(sp.ids) == 1:
		if s.refused++; s.refused >= stuckAfter && !s.answered.Load() {
			s.groups = nil // else they would pass for progress
			return fmt.Errorf("read group information: every call failed, the last one with: %w", sp.failure)
		}
		s.keepSpoiled(sp)
		return nil
	case s.timeIsUp():
		return s.leave(sp, len(others) > 0)
	}
	s.spoiled = nil // what describe adds comes before the others
	half := len(sp.ids) / 2
	p := s.Caller.Policy
	p.Attempts = halfAttempts
	for _, ids := range [][]string{sp.ids[:half], sp.ids[half:]} {
		if err := s.describe(ctx, ids, p, halfShare); err != nil {
			if errors.Is(err, errTimeUp) {
				return s.leave(sp, len(others) > 0)
			}
			return err
		}
	}
	s.spoiled = append(s.spoiled, others...)
	return nil
}

// leave ends the batch before spoiled groups are isolated. The next batch goes on, unless it would begin just where this
// one did, and end there: then they are done without. Where nothing at all is answered, the batch fails.
func (s *scan) leave(sp spoiled, more bool) error {
	if len(s.groups) == 0 && (s.answered.Load() || !more) {
		s.keepSpoiled(sp)
	}
	return fmt.Errorf("read group information: %w: %w", errTimeUp, sp.failure)
}

func (s *scan) keepSpoiled(sp spoiled) {
	gone := len(sp.ids) == 1 && errors.Is(sp.failure, chat.ErrGone) // else it is one of them, and not known which
	for _, id := range sp.ids {
		s.keep(infoLine{Facts: chat.Facts{Stream: chat.Stream{GroupID: id}}, Gone: gone, Code: codeOf(sp.failure), Text: logging.Line(sp.failure.Error(), maxText)})
	}
}

// add keeps what is known of a group, with the topics of a community.
func (s *scan) add(ctx context.Context, g *chat.Facts) error {
	line := infoLine{Facts: *g}
	if g.Err != nil {
		line.Gone, line.Code, line.Text = errors.Is(g.Err, chat.ErrGone), codeOf(g.Err), g.Err.Error()
	}
	if g.Type == "Community" && g.Err == nil {
		if err := s.topics(ctx, &line, g.NoTopics); err != nil {
			return err
		}
	}
	s.keep(line)
	return nil
}

// topics adds a community's topics to its line, or why they are not known. No refusal stops the sweep, not even one that
// would meet every call: this command may be refused alone, and if others are, they say so themselves.
func (s *scan) topics(ctx context.Context, line *infoLine, none bool) error {
	p, share := s.Caller.Policy, callShare
	if s.topicsIn.Load() >= stuckAfter {
		p.Attempts, share = 1, halfShare // it is the command that fails, not one community's call
	}
	var topics []chat.Facts
	err := s.call(ctx, s.Caller.Limiter, p, s.patience(share), func(ctx context.Context) error {
		var err error
		topics, err = s.Directory.Topics(ctx, line.GroupID)
		return err
	})
	switch {
	case err == nil:
		s.topicsIn.Store(0)
	case ctx.Err() != nil, errors.Is(err, errTimeUp):
		return fmt.Errorf("list topics of %s: %w", line.GroupID, err)
	case none && errors.Is(err, chat.ErrUnsupported):
		return nil // as was to be expected
	default:
		s.topicsIn.Add(1)
		line.TopicsCode, line.TopicsText = codeOf(err), logging.Line(err.Error(), maxText)
		return nil
	}
	for i := range topics {
		t := &topics[i]
		if t.TopicID == "" || !possible(t.Stream) {
			line.TopicsCode = codeInvalidID
			continue
		}
		out := infoLine{Facts: *t}
		if t.Err != nil {
			out.Gone, out.Code = errors.Is(t.Err, chat.ErrGone), codeOf(t.Err)
		}
		line.Topics = append(line.Topics, out)
	}
	return nil
}

func (s *scan) keep(line infoLine) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.groups = append(s.groups, line)
}
