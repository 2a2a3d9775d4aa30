package sweep

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/internal/retry"
)

// errNoProgress is wrapped by the error of a batch that found out nothing: its continuation would run for ever.
var errNoProgress = errors.New("batch of the sweep made no progress")

// survey is one batch of a sweep before its lane begins: it lists, and plans when all is listed.
type survey struct {
	stint

	part  int // the part that comes next
	place place
	at    time.Time // of the newest part: what the plan is made by
	seen  *snapshot
}

// survey does one batch: c is nil for a tick.
func (s *Sweeper) survey(ctx context.Context, spec Spec, c *Continuation, req Request) (Summary, error) {
	v := &survey{stint: s.stint(spec, "", req), seen: newSnapshot()}
	err := v.run(ctx, c)
	v.summary.Sweep, v.summary.Batch, v.summary.Groups = v.id, v.part, v.seen.counts.Total
	v.summary.Elapsed = time.Since(v.start)
	return v.summary, err
}

func (v *survey) run(ctx context.Context, c *Continuation) error {
	begin := v.tick
	if c != nil {
		v.id, begin = c.ID, v.continued
	}
	done, err := begin(ctx)
	if done || err != nil {
		return err
	}
	v.Log = v.Log.With().Str("sweep", v.id).Logger()
	listed := false
	for ; !v.place.Done; listed = true {
		if done, err := v.listPart(ctx); done || err != nil {
			return err
		}
	}
	// A plan is not made in what little time a listing leaves: whoever reads all that is known needs some.
	if listed && time.Until(v.Deadline) < v.Deadline.Sub(v.start)/2 {
		return v.handOver(ctx)
	}
	return v.makePlan(ctx)
}

// tick begins a sweep, unless one is under way. It reports true if there is nothing to do.
func (v *survey) tick(ctx context.Context) (bool, error) {
	if err := v.loadPointer(ctx); err != nil {
		return false, err
	}
	p, now := &v.pointer, time.Now()
	switch {
	case p.unfinished(v.Owner, now):
		v.id, v.spec = p.Current.ID, p.Current.Spec // a redelivery goes on where its predecessor died
		if err := v.take(ctx); err != nil {
			return false, err
		}
		return v.resume(ctx)
	case p.alive(now) && p.covers(v.spec, now):
		v.id, v.summary.Outcome = p.Current.ID, AlreadyRunning
		return true, nil
	case p.alive(now):
		if err := v.wait(ctx); err != nil || !v.reported(ctx) {
			return true, err
		}
		// It ended between the read of the pointer and the write, and so begins nobody.
	}
	asked := v.spec
	p.note(asked, now) // behind those that nobody was left to begin
	if v.id, v.spec = laterID(p.Current.ID, now), p.Waiting[0].Spec; !v.spec.covers(asked) {
		v.Log.Info().Str("under_way", v.id).Msg("another sweep has waited for longer and begins; this one waits for its turn")
	}
	return false, v.take(ctx)
}

// reported reports whether the sweep under way has come to its end, whatever the pointer tells.
func (v *survey) reported(ctx context.Context) bool {
	_, _, err := v.objects.Get(ctx, layout.SweepReport(v.pointer.Current.ID))
	return err == nil
}

// continued finds out whether a continuation is to go on, and how far its sweep is. It reports true if there is nothing
// to do.
func (v *survey) continued(ctx context.Context) (bool, error) {
	if ahead(v.id, time.Now()) {
		v.Log.Warn().Msg("the continuation names a sweep that has not begun; the next sweep goes on")
		v.summary.Outcome = Lost
		return true, nil
	}
	overtaken, err := v.overtaken(ctx)
	switch {
	case err != nil:
		return false, err
	case overtaken:
		return true, v.giveIn(ctx, false)
	case v.pointer.shown(v.id):
		v.summary.Outcome = LostRace
		return true, nil
	case v.pointer.Current.ID != v.id, v.pointer.Current.Until.Before(v.Deadline):
		// Lost, or written over by who had read it before this sweep began; or this is a late delivery.
		if err := v.take(ctx); err != nil {
			return false, err
		}
	}
	return v.resume(ctx)
}

// take makes the sweep the one under way. A crash right after it: the redelivered event has the same owner and goes on
// with the same sweep; others wait, at most until the batch would have ended.
func (v *survey) take(ctx context.Context) error {
	v.pointer.begin(v.id, v.spec, v.Owner, v.Deadline)
	return v.savePointer(ctx)
}

// resume reads the parts that are there already, and whether the sweep has been planned.
func (v *survey) resume(ctx context.Context) (bool, error) {
	var plan Report
	switch err := v.objects.readJSON(ctx, layout.SweepPlan(v.id), &plan); {
	case err == nil:
		return true, v.startLane(ctx, plan)
	case !errors.Is(err, objstore.ErrNotExist):
		return false, err
	}
	for ; !v.place.Done; v.part++ {
		h, groups, _, err := readLines[sightLine](ctx, v.objects, layout.SweepInfo(v.id, v.part))
		if errors.Is(err, objstore.ErrNotExist) {
			break
		}
		if err != nil {
			return false, err
		}
		if err := v.seen.read(h, groups); err != nil {
			return false, fmt.Errorf("part %d: %w", v.part, err)
		}
		v.place, v.at = h.Listed.Next, h.At
	}
	return false, nil
}

// listPart looks at more groups and writes what it saw as the next part. It reports true if the batch is over.
func (v *survey) listPart(ctx context.Context) (bool, error) {
	lines := newLines()
	l := v.listing(v.lastStart, v.end.Sub(v.start), v.seen.groups)
	l.spec, l.log, l.place, l.unlisted = v.spec, v.Log, v.place, slices.Clone(v.seen.unlisted)
	l.keep = func(line *sightLine) {
		lines.add(line)
		v.seen.take(line)
	}
	bounded, cancel := context.WithDeadline(ctx, v.end)
	failure := l.run(bounded)
	cancel()
	for _, c := range []*retry.Caller{l.caller, l.lists, l.quick} {
		v.summary.Calls += c.Counts().Calls
	}
	switch still := l.kept == 0 && l.place == v.place; {
	case l.refused > 0 && !v.seen.groups.answered && !l.place.Done:
		return false, cmp.Or(failure, errNoGroup) // the next batch would fare no better
	case failure != nil && (still || l.kept == 0 && !errors.Is(failure, errTimeUp)):
		return false, failure
	case still && !l.place.Done:
		return false, fmt.Errorf("%w: time was up before a group was looked at; raise the function's time limit", errNoProgress)
	}
	h := header{
		envelope: envelope{format, v.id}, At: time.Now().UTC().Truncate(time.Second),
		Listed: listed{l.place, l.unlisted[len(v.seen.unlisted):]},
	}
	w, err := lines.close(h)
	if err != nil {
		return false, err
	}
	// A crash right after this write: the redelivered event, or the next batch, goes on behind this part.
	taken, there, err := v.objects.create(ctx, layout.SweepInfo(v.id, v.part), w)
	switch {
	case err != nil:
		return false, err
	case taken && v.objects.Since(there.LastModified):
		v.summary.Outcome = LostRace
		return true, nil
	case taken: // whoever wrote it died: the next batch goes on behind it
		return true, v.handOver(ctx)
	}
	v.seen.unlisted, v.place, v.at = l.unlisted, l.place, h.At
	v.part++
	if failure != nil {
		v.Log.Warn().Err(failure).Msg("listing stopped early; the next batch goes on")
	}
	if failure == nil && (l.place.Done || !l.timeIsUp()) {
		return false, nil
	}
	return true, v.handOver(ctx)
}

// handOver continues the sweep in another invocation: one of two that go on at the same part loses the next.
func (v *survey) handOver(ctx context.Context) error {
	return v.goOn(ctx, Continued, &Continuation{ID: v.id})
}
