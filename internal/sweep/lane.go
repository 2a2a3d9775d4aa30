package sweep

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"chatexport/internal/layout"
	"chatexport/internal/objstore"
)

// errStuck means that everything a lane tried failed: nothing is gained by failing for the rest of the plan, too.
var errStuck = errors.New("the lane stands still: every stream that it began failed")

// laneOwner names every lane in the leases of streams: there is one at a time, and what one began, the next takes up at
// once.
const laneOwner = "sweep"

// progress is what the header of result-<batch>.ndjson.gz tells: where the next batch begins, and everything that the lane did so
// far. The zero one is that of a lane that did nothing.
type progress struct {
	Batches  int       `json:"batches"`
	Next     planPlace `json:"next"` // in the plan, where the next batch reads on
	Tally    Tally     `json:"tally"`
	Failures nameList  `json:"failures"`
	Expired  nameList  `json:"expired"`
}

// planPlace is a place among the pieces of the plan.
type planPlace struct {
	Piece int  `json:"piece"`
	Ended bool `json:"ended,omitempty"` // there are no more
}

// resultLine is any other line of a result.
type resultLine struct {
	Done *record `json:"done,omitempty"` // what is known of a stream now that the lane is done with it
	Open *open   `json:"open,omitempty"`
}

// open is a stream that waits for its turn, or is begun and not done.
type open struct {
	item

	Rank         int             `json:"rank"`               // its place in the plan, from 1; further behind once it got nowhere
	Continuation json.RawMessage `json:"continue,omitempty"` // of package export, as it came
	Attempts     int             `json:"attempts,omitempty"` // how often it failed
}

// lane is one batch of a lane.
type lane struct {
	*stint

	batch int // from 0

	mu       sync.Mutex // of what follows, while streams are served
	progress            // where the batch begins, then what it came to
	waiting  []open     // in the order in which they are to be served: those that are begun, and a piece of the plan
	later    []open     // for the next batch
	lines    *lines     // of the result
	done     int        // streams that are done with
	noRights int        // of these, how many were refused as an account without rights is
	moved    bool       // some stream got on, though it is not done
	served   bool       // some stream did not fail
	refused  int        // streams that failed for a reason that is not theirs
}

func (l *lane) run(ctx context.Context) error {
	l.summary.Lane, l.summary.Batch = true, l.batch
	l.Log = l.Log.With().Str("sweep", l.id).Int("batch", l.batch).Logger()
	if l.batch > l.Settings.MaxHops {
		l.Log.Warn().Msg("the continuation names one batch of the lane too many; the next sweep goes on")
		l.summary.Outcome = Lost
		return nil
	}
	if err := l.follow(ctx); err != nil || l.over() {
		return err
	}
	if err := l.resume(ctx); err != nil {
		return err
	}
	if err := l.work(ctx); err != nil {
		return err
	}
	return l.conclude(ctx)
}

// follow goes on behind the results that are there already, this batch's and later ones, of an earlier delivery or another's.
func (l *lane) follow(ctx context.Context) error {
	for n := l.batch; ; n++ {
		h, _, object, err := readLines[resultLine](ctx, l.objects, layout.SweepResult(l.id, n))
		switch {
		case errors.Is(err, objstore.ErrNotExist) && n == l.batch:
			return nil
		case errors.Is(err, objstore.ErrNotExist):
			return l.handOver(ctx)
		case err != nil:
			return err
		case l.objects.Since(object.LastModified):
			l.summary.Outcome = LostRace // who wrote it goes on, or is delivered again
			return nil
		}
		if l.progress = h.Lane; h.Last {
			return l.finish(ctx, h.At)
		}
	}
}

// resume reads where the batch before ended.
func (l *lane) resume(ctx context.Context) error {
	if l.batch == 0 {
		return nil
	}
	before, others, _, err := readLines[resultLine](ctx, l.objects, layout.SweepResult(l.id, l.batch-1))
	if err != nil {
		return err
	}
	l.progress = before.Lane
	for line, err := range others {
		if err != nil {
			return err
		}
		if line.Open != nil && possible(line.Open.Stream) { // one line is not to cost all the others
			l.waiting = append(l.waiting, *line.Open)
		}
	}
	return nil
}

// conclude writes what the batch came to, and hands the rest on.
func (l *lane) conclude(ctx context.Context) error {
	left := slices.Concat(l.waiting, l.later)
	l.trailsOnly = l.Next.Ended && !slices.ContainsFunc(left, func(o open) bool { return !o.Trails })
	last := l.Next.Ended && len(left) == 0
	if l.done == 0 && !l.moved && !last {
		return fmt.Errorf("%w: time was up before any stream got on; raise the function's time limit or CHAT_QPS", errNoProgress)
	}
	l.Batches = l.batch + 1
	l.Tally.join(l.summary.Tally)
	l.suspect()
	slices.SortStableFunc(left, func(a, b open) int { return cmp.Compare(a.Rank, b.Rank) })
	for _, o := range left {
		l.lines.add(resultLine{Open: &o})
	}
	h := header{envelope: envelope{format, l.id}, At: time.Now().UTC(), Last: last, Lane: l.progress}
	w, err := l.lines.close(h)
	if err != nil {
		return err
	}
	// A crash right after this write: the redelivered event finds it, and publishes what comes next.
	taken, _, err := l.objects.create(ctx, layout.SweepResult(l.id, l.batch), w)
	switch {
	case err != nil:
		return err
	case taken:
		return l.follow(ctx)
	case last:
		return l.finish(ctx, h.At)
	default:
		return l.handOver(ctx)
	}
}

// handOver publishes the next batch, unless the sweep has had its turn.
func (l *lane) handOver(ctx context.Context) error {
	return l.goOn(ctx, Continued, &Continuation{ID: l.id, Batch: new(l.Batches)})
}

// finish ends the lane with the sweep's report.
func (l *lane) finish(ctx context.Context, at time.Time) error {
	var r Report
	if err := l.objects.readJSON(ctx, layout.SweepPlan(l.id), &r); err != nil {
		return err
	}
	r.conclude(l.progress)
	r.FinishedAt = at
	// A crash right after this write: the redelivery finds it, and ends the sweep in the pointer.
	if err := l.objects.createJSON(ctx, layout.SweepReport(l.id), r); err != nil {
		return err
	}
	return l.goOn(ctx, Complete, nil)
}
