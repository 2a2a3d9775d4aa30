package sweep

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"chatexport/internal/chat"
	"chatexport/internal/logging"
	"chatexport/internal/retry"
)

const (
	// callShare of a batch is what one call may take with all its repetitions, halfShare each of those by which the
	// groups that spoil a call are looked for: a call that never ends must leave room for all the others. Halving ends
	// after log2(infoPage) of them.
	callShare = 1.0 / 4
	halfShare = 1.0 / 16
	// minPatience is enough for one attempt, however short the batch.
	minPatience = 300 * time.Millisecond
	// halfAttempts is how often those calls are made: the call that they are halves of was repeated often enough.
	halfAttempts = 2
)

// errTimeUp is wrapped by the failure of a call that the end of the batch cut off: nothing is known by it.
var errTimeUp = errors.New("time was up before the call was answered")

// scan looks at the groups of the app. Groups that were seen by earlier batches are not looked at again. A failure that
// is about one group, one community's topics or one list is noted and gone on without: nobody else's archive is to
// suffer for it.
type scan struct {
	*Sweeper

	spec  Spec
	start time.Time
	until time.Time // nothing is begun after
	calls *atomic.Int64
	log   zerolog.Logger

	place    place
	seen     map[string]bool
	unlisted []listFailure // lists that are done without, those of earlier batches included
	answered atomic.Bool   // some group was described, by this batch or an earlier one
	refused  int           // groups that were not, one by one
	topicsIn atomic.Int64  // calls for topics that failed since one did not

	mu      sync.Mutex
	groups  []infoLine // of this batch
	spoiled []spoiled
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
			if err := s.goWithout(ctx, lists, err); err != nil {
				return err
			}
			continue
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

// patience is how long a call may take that has a share of the batch.
func (s *scan) patience(share float64) time.Duration {
	return max(minPatience, time.Duration(share*float64(s.until.Sub(s.start))))
}

// slowError is the failure of a call that used up its share of the batch. The class of what it met at last says no more
// than that.
type slowError struct{ error }

// Unwrap returns the last failure.
func (e slowError) Unwrap() error { return e.error }

// RetryClass implements retry.Classified.
func (slowError) RetryClass() retry.Class { return retry.Transient }

// call makes one call, paced, repeated and counted. Its first turn may be a long time coming: only from then on patience
// runs.
func (s *scan) call(ctx context.Context, pace *retry.Limiter, p retry.Policy, patience time.Duration, attempt func(ctx context.Context) error) error {
	if err := pace.Wait(ctx); err != nil {
		return fmt.Errorf("%w: %w", errTimeUp, err)
	}
	end, ok := ctx.Deadline()
	cutOff := ok && end.Before(time.Now().Add(patience))
	bounded, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var last error
	err := p.Do(bounded, func(ctx context.Context, n int) error {
		if n > 1 {
			if err := pace.Wait(ctx); err != nil {
				return fmt.Errorf("%w; %w", last, err)
			}
		}
		s.calls.Add(1)
		last = attempt(ctx)
		pace.Observe(last)
		return last
	})
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil, cutOff && (bounded.Err() != nil || errors.Is(err, retry.ErrNoTime)):
		return fmt.Errorf("%w: %w", errTimeUp, err)
	case bounded.Err() != nil:
		return slowError{err}
	default:
		return err
	}
}

func (s *scan) list(ctx context.Context, kind string) (ids []string, next uint64, err error) {
	patience := maxBatch
	if len(s.spec.lists()) > 1 {
		patience = s.patience(callShare) // the other lists need time, too
	}
	// The list has a quota of its own, so a refusal says nothing about the pace of the other calls.
	err = s.call(ctx, s.ListPace, s.Caller.Policy, patience, func(ctx context.Context) error {
		var err error
		ids, next, err = s.Directory.GroupIDs(ctx, s.place.Next, listPage, kind)
		return err
	})
	return ids, next, err
}

// goWithout goes on with the next list. It returns an error if that would be of no use, or if every list has failed.
func (s *scan) goWithout(ctx context.Context, lists []string, failure error) error {
	if ctx.Err() != nil || errors.Is(failure, errTimeUp) || ofApp(failure) || len(s.unlisted)+1 >= len(lists) {
		return fmt.Errorf("list groups: %w", failure)
	}
	kind := lists[s.place.List]
	s.log.Warn().Err(failure).Str("type", kind).Msg("groups of this type cannot be listed; the sweep goes on with the other types")
	s.unlisted = append(s.unlisted, listFailure{Type: kind, Code: codeOf(failure), Text: logging.Line(failure.Error(), maxText)})
	s.place = place{List: s.place.List + 1}
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

// ofApp reports whether a failure would meet every call of its kind: the service refuses the credentials or the
// settings, or the app's quota is used up.
func ofApp(err error) bool {
	class := retry.ClassOf(err)
	_, refused := errors.AsType[refusal](err)
	return class == retry.Throttled || class == retry.Permanent && refused && !ofGroup(err)
}

// codeOf names a failure by the service's own code where it has one.
func codeOf(err error) string {
	var coded interface{ ErrorCode() string }
	if errors.As(err, &coded) {
		return coded.ErrorCode()
	}
	return "error"
}
