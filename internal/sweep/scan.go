package sweep

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"chatexport/internal/chat"
	"chatexport/internal/retry"
)

// callPolicy is that of package export.
func callPolicy() retry.Policy {
	return retry.Policy{Base: 200 * time.Millisecond, Cap: 10 * time.Second, Attempts: 6}
}

// scan looks at the groups of the app. Groups that were seen by earlier batches are not looked at again.
type scan struct {
	*Sweeper

	spec  Spec
	until time.Time // nothing is begun after
	calls *atomic.Int64
	log   zerolog.Logger

	place place
	seen  map[string]bool

	mu     sync.Mutex
	groups []infoLine // of this batch
}

// run goes on with the listing until everything is listed or time is up. What was found counts, whatever the error.
func (s *scan) run(ctx context.Context) error {
	lists := s.spec.lists()
	for !s.place.Done {
		if s.timeIsUp() {
			return nil
		}
		if s.place.List >= len(lists) {
			s.place.Done = true
			return nil
		}
		ids, next, err := s.list(ctx, lists[s.place.List])
		if err != nil {
			return err
		}
		whole, err := s.look(ctx, ids)
		if err != nil || !whole {
			return err // the same page again: what was seen of it is left out then
		}
		if s.place.Next = next; next == 0 {
			s.place.List++
		}
	}
	return nil
}

func (s *scan) timeIsUp() bool { return !time.Now().Before(s.until) }

// call makes one call, paced, repeated and counted.
func (s *scan) call(ctx context.Context, pace *retry.Limiter, attempt func(ctx context.Context) error) error {
	return callPolicy().Do(ctx, func(ctx context.Context, _ int) error {
		if err := pace.Wait(ctx); err != nil {
			return err
		}
		s.calls.Add(1)
		err := attempt(ctx)
		pace.Observe(err)
		return err
	})
}

func (s *scan) list(ctx context.Context, kind string) (ids []string, next uint64, err error) {
	// The list has a quota of its own, so a refusal says nothing about the pace of the other calls.
	err = s.call(ctx, s.ListPace, func(ctx context.Context) error {
		var err error
		ids, next, err = s.Directory.GroupIDs(ctx, s.place.Next, listPage, kind)
		return err
	})
	if err != nil {
		return nil, 0, fmt.Errorf("list groups: %w", err)
	}
	return ids, next, nil
}

// look reads what the app tells about the groups of a page. It reports whether all of them were looked at.
func (s *scan) look(ctx context.Context, ids []string) (bool, error) {
	fresh := make([]string, 0, len(ids))
	for _, id := range ids {
		if s.seen[id] || !s.spec.wants(id) {
			continue
		}
		s.seen[id] = true
		if err := (chat.Stream{GroupID: id}).Validate(); err != nil {
			s.keep(infoLine{GroupID: id, Code: codeInvalidID, Text: err.Error()})
			continue
		}
		fresh = append(fresh, id)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(s.Settings.Concurrency)
	whole := true
	for len(fresh) > 0 && whole {
		part := fresh[:min(infoPage, len(fresh))]
		fresh = fresh[len(part):]
		group.Go(func() error { return guarded(s.log, func() error { return s.describe(ctx, part) }) })
		whole = !s.timeIsUp() || len(fresh) == 0
	}
	if err := group.Wait(); err != nil {
		return false, err
	}
	return whole, nil
}

// describe reads up to infoPage groups. A group that spoils the call for all is looked for by halving.
func (s *scan) describe(ctx context.Context, ids []string) error {
	var infos []Group
	err := s.call(ctx, s.Limiter, func(ctx context.Context) error {
		var err error
		infos, err = s.Directory.GroupInfos(ctx, ids)
		return err
	})
	switch {
	case err == nil:
	case !ofGroup(err):
		return fmt.Errorf("read group information: %w", err)
	case len(ids) > 1:
		half := len(ids) / 2
		if err := s.describe(ctx, ids[:half]); err != nil {
			return err
		}
		return s.describe(ctx, ids[half:])
	default:
		infos = []Group{{ID: ids[0], Err: err}}
	}
	for i := range infos {
		if err := s.add(ctx, &infos[i]); err != nil {
			return err
		}
	}
	return nil
}

// ofGroup reports whether a failure is about a group, and not about the service or the app's settings.
func ofGroup(err error) bool {
	for _, condition := range []error{chat.ErrGone, chat.ErrUnsupported, chat.ErrTooLarge, chat.ErrMalformed, chat.ErrInvalidStream} {
		if errors.Is(err, condition) {
			return true
		}
	}
	return false
}

// add keeps what is known of a group, with the topics of a community.
func (s *scan) add(ctx context.Context, g *Group) error {
	line := infoLine{
		GroupID: g.ID, Type: g.Type, Name: g.Name, Owner: g.Owner, CreateTime: g.CreateTime, LastMsgTime: g.LastMsgTime,
		NextSeq: g.NextSeq, Members: g.MemberNum,
	}
	if g.Err != nil {
		line.Gone, line.Code, line.Text = errors.Is(g.Err, chat.ErrGone), codeOf(g.Err), g.Err.Error()
	}
	if g.Type == "Community" && g.Err == nil {
		if err := s.topics(ctx, &line); err != nil {
			return err
		}
	}
	s.keep(line)
	return nil
}

func (s *scan) topics(ctx context.Context, line *infoLine) error {
	var topics []Topic
	err := s.call(ctx, s.Limiter, func(ctx context.Context) error {
		var err error
		topics, err = s.Directory.Topics(ctx, line.GroupID)
		return err
	})
	switch {
	case errors.Is(err, chat.ErrUnsupported):
		return nil // a community without topics
	case err != nil && ofGroup(err):
		line.TopicsCode = codeOf(err)
		return nil
	case err != nil:
		return fmt.Errorf("list topics of %s: %w", line.GroupID, err)
	}
	for i := range topics {
		t := &topics[i]
		if (chat.Stream{GroupID: line.GroupID, TopicID: t.ID}).Validate() != nil || t.ID == "" {
			line.TopicsCode = codeInvalidID
			continue
		}
		out := topicLine{TopicID: t.ID, Name: t.Name, CreateTime: t.CreateTime, LastMsgTime: t.LastMsgTime, NextSeq: t.NextSeq}
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

// guarded calls fn and turns a panic into an error: in a goroutine of its own it would kill the process. The stack is
// for the log alone: errors travel into results and reports.
func guarded(log zerolog.Logger, fn func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
			log.Error().Err(err).Bytes("stack", debug.Stack()).Msg("a worker of the sweep panicked")
		}
	}()
	return fn()
}

// codeOf names a failure by the service's own code where it has one.
func codeOf(err error) string {
	var coded interface{ ErrorCode() string }
	if errors.As(err, &coded) {
		return coded.ErrorCode()
	}
	return "error"
}
