package sweep

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/sync/errgroup"

	"chatexport/internal/chat"
	"chatexport/internal/logging"
	"chatexport/internal/panics"
	"chatexport/internal/retry"
)

const (
	// partGroups ends a part of the listing at the next page: what a part holds is in memory until it is written.
	partGroups = 50_000
	// callShare of a batch is what one call may take with all its repetitions: a call that never ends must leave room for
	// all the others. A command that fails for one community after the other gets less.
	callShare = 1.0 / 4
	failShare = 1.0 / 16
	// minPatience is enough for one attempt, however short the batch.
	minPatience = 300 * time.Millisecond
	// stuckAfter failures in a row, and no success, it is not the groups that fail.
	stuckAfter = 10
)

// errNoGroup means that whatever was asked about groups was refused.
var errNoGroup = errors.New("every call for groups failed")

// listing looks at the groups of the app, those that no part has. A failure that is about some groups, one community's
// topics or one list is noted and gone on without: nobody else's archive is to suffer for it.
type listing struct {
	*Sweeper

	caller, lists, quick *retry.Caller // of groups and topics; of lists, which have a quota of their own; without repetition

	spec            Spec
	until           time.Time     // nothing is begun after
	patience, brief time.Duration // what one call may take, and one whose command fails again and again
	log             zerolog.Logger

	place    place
	unlisted []Named // types whose lists are done without, those of earlier parts included

	mu      sync.Mutex       // of what follows
	looked  *looked          // the groups that need not be looked at
	keep    func(*sightLine) // takes a group
	kept    int
	refused int // calls for groups that failed
}

// listing begins, or goes on, without the groups that were looked at before. Nothing is begun after until, of a time of which
// every call may take its share.
func (s *Sweeper) listing(until time.Time, total time.Duration, before *looked) *listing {
	l := &listing{
		Sweeper: s, until: until, looked: before, log: zerolog.Nop(),
		patience: retry.Share(total, callShare, minPatience, maxBatch), brief: retry.Share(total, failShare, minPatience, maxBatch),
		caller: s.Caller.Fork(), quick: s.Caller.Fork(), lists: &retry.Caller{Limiter: s.ListPace, Policy: s.Caller.Policy},
	}
	l.quick.Policy.Attempts = 1
	return l
}

// run goes on with the listing until everything is listed, time is up, or the part is full. What was found counts,
// whatever the error, but errNoGroup.
func (l *listing) run(ctx context.Context) error {
	lists := l.spec.lists()
	for !l.place.Done && !l.timeIsUp() && l.kept < partGroups {
		if l.place.List >= len(lists) {
			l.place.Done = true
			return nil
		}
		page, err := l.list(ctx, lists[l.place.List])
		if err != nil {
			if err := l.goWithout(lists, err); err != nil {
				return err
			}
			continue
		}
		whole, err := l.look(ctx, page.ids)
		if err != nil || !whole {
			return err // the same page again: what was seen of it is left out then
		}
		if l.place.Next = page.next; page.next == 0 {
			l.place.List++
		}
	}
	return nil
}

func (l *listing) timeIsUp() bool { return !time.Now().Before(l.until) }

// page is one page of a list of groups.
type page struct {
	ids  []string
	next uint64
}

func (l *listing) list(ctx context.Context, groupType string) (page, error) {
	patience := maxBatch
	if len(l.spec.lists()) > 1 {
		patience = l.patience // the other lists need time, too
	}
	// The list has a quota of its own, so a refusal says nothing about the pace of the other calls.
	return ask(ctx, l.lists, patience, func(ctx context.Context) (p page, err error) {
		p.ids, p.next, err = l.Directory.GroupIDs(ctx, l.place.Next, listPage, groupType)
		return p, err
	})
}

// goWithout goes on with the next list. It returns an error if that would be of no use, or if every list has failed.
func (l *listing) goWithout(lists []string, failure error) error {
	if errors.Is(failure, errTimeUp) || ofApp(failure) || len(l.unlisted)+1 >= len(lists) {
		return fmt.Errorf("list groups: %w", failure)
	}
	groupType := lists[l.place.List]
	l.log.Warn().Err(failure).Str("type", groupType).Msg("groups of this type cannot be listed; the sweep goes on with the other types")
	l.unlisted = append(l.unlisted, Named{Type: groupType, Outcome: "type_not_listed", Code: codeOf(failure), Text: logging.Line(failure.Error(), maxText)})
	l.place = place{List: l.place.List + 1}
	return nil
}

// look reads what the app tells about the groups of a page. It reports whether all of them were looked at.
func (l *listing) look(ctx context.Context, ids []string) (bool, error) {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(l.Settings.Concurrency)
	whole := true
	for len(ids) > 0 && whole {
		var some []string
		if some, ids = l.fresh(ids); len(some) > 0 {
			group.Go(func() error { return panics.Logged(l.log, func() error { return l.describe(ctx, some) }) })
		}
		whole = len(ids) == 0 || !l.timeIsUp()
	}
	if err := group.Wait(); err != nil {
		return false, err
	}
	return whole, nil
}

// fresh returns the next groups that are to be looked at together, and what is left of the page.
func (l *listing) fresh(ids []string) (some, left []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for n, id := range ids {
		if len(some) == infoPage {
			return some, ids[n:]
		}
		if !l.spec.wants(id) || !l.looked.fresh(id) {
			continue
		}
		if err := (chat.Stream{GroupID: id}).Validate(); err != nil {
			line := lineOf(chat.Facts{Stream: chat.Stream{GroupID: id}, Err: err})
			line.Code = codeInvalidID
			l.take(&line)
			continue
		}
		some = append(some, id)
	}
	return some, nil
}

// describe reads up to infoPage groups. If that fails for a reason that may be one group's, all of them get exported
// without being known.
func (l *listing) describe(ctx context.Context, ids []string) error {
	groups, failure := ask(ctx, l.caller, l.patience, func(ctx context.Context) ([]chat.Facts, error) {
		return l.Directory.GroupInfos(ctx, ids)
	})
	switch {
	case failure == nil:
	case errors.Is(failure, errTimeUp), ofApp(failure):
		return fmt.Errorf("read group information: %w", failure)
	default:
		return l.refuse(ids, failure)
	}
	for i := range groups {
		line := lineOf(groups[i])
		if line.Type == community && line.Err == nil {
			if err := l.topics(ctx, &line); err != nil {
				return err
			}
		}
		l.mu.Lock()
		l.take(&line)
		l.mu.Unlock()
	}
	return nil
}

// refuse keeps groups that could not be looked at. It returns an error once nothing else is to be expected.
func (l *listing) refuse(ids []string, failure error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refused++; l.refused >= stuckAfter && !l.looked.answered {
		return fmt.Errorf("%w, the last one with: %w", errNoGroup, failure)
	}
	for _, id := range ids {
		line := lineOf(chat.Facts{Stream: chat.Stream{GroupID: id}, Err: failure})
		line.Gone = line.Gone && len(ids) == 1 // else it is one of them, and not known which
		l.take(&line)
	}
	return nil
}

// take keeps a group. The caller holds the lock.
func (l *listing) take(line *sightLine) {
	l.kept++
	l.looked.note(line)
	l.keep(line)
}

// topics adds a community's topics to its line, or why they are not known. No refusal stops the sweep, not even one that
// would meet every call: this command may be refused alone, and if others are, they say so themselves.
func (l *listing) topics(ctx context.Context, line *sightLine) error {
	l.mu.Lock()
	fails := l.looked.topicsFailed >= stuckAfter
	l.mu.Unlock()
	caller, patience := l.caller, l.patience
	if fails {
		caller, patience = l.quick, l.brief // it is the command that fails, not one community's call
	}
	topics, err := ask(ctx, caller, patience, func(ctx context.Context) ([]chat.Facts, error) {
		return l.Directory.Topics(ctx, line.GroupID)
	})
	switch {
	case err == nil:
	case errors.Is(err, errTimeUp):
		return fmt.Errorf("list topics of %s: %w", line.GroupID, err)
	case line.NoTopics && errors.Is(err, chat.ErrUnsupported): // as was to be expected
	default:
		line.TopicsCode, line.TopicsText, line.Err = codeOf(err), logging.Line(err.Error(), maxText), err
	}
	for _, facts := range topics {
		if facts.TopicID == "" || !possible(facts.Stream) {
			line.TopicsCode = codeInvalidID
			continue
		}
		line.Topics = append(line.Topics, lineOf(facts))
	}
	return nil
}

// Streams returns every stream of some groups, or of the app if none is named, that may have history, as a sweep sees
// them, in order: each group, unless it is a community that is known to have no messages of its own, and the topics of communities.
// What could not be looked at, or is gone, has Err; a community has it, too, whose topics are not known.
func (s *Sweeper) Streams(ctx context.Context, groups ...string) ([]chat.Facts, error) {
	var found []chat.Facts
	l := s.listing(time.Now().Add(24*time.Hour), 24*time.Hour, newLooked())
	l.keep = func(line *sightLine) {
		for _, stream := range line.streams() {
			found = append(found, stream.Facts)
		}
	}
	var err error
	if len(groups) > 0 {
		_, err = l.look(ctx, groups)
	}
	for len(groups) == 0 && !l.place.Done && err == nil {
		l.kept = 0 // there are no parts
		err = l.run(ctx)
	}
	slices.SortFunc(found, func(a, b chat.Facts) int { return compare(a.Stream, b.Stream) })
	return found, err
}

// looked is what a listing knows of the groups that it need not look at any more.
type looked struct {
	groups       map[string]bool
	answered     bool // some group was described
	topicsFailed int  // communities whose topics failed since one's did not
}

func newLooked() *looked { return &looked{groups: make(map[string]bool)} }

// note tells what the calls for a group came to.
func (s *looked) note(line *sightLine) {
	s.answered = s.answered || line.Code == ""
	switch {
	case line.TopicsCode != "":
		s.topicsFailed++
	case line.Type == community && line.Code == "":
		s.topicsFailed = 0
	}
}

// fresh reports whether a group is new, and remembers it.
func (s *looked) fresh(id string) bool {
	was := s.groups[id]
	s.groups[id] = true
	return !was
}
