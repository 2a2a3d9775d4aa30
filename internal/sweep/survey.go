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
	*stint

	part  int // the part that comes next
	place place
	at    time.Time // of the newest part: what the plan is made by
	seen  *snapshot
}

func (v *survey) run(ctx context.Context) error {
	defer func() { v.summary.Batch, v.summary.Groups = v.part, v.seen.counts.Total }()
	begin := v.continued
	if v.id == "" {
		begin = v.tick
	}
	if err := begin(ctx); err != nil || v.over() {
		return err
	}
	v.Log = v.Log.With().Str("sweep", v.id).Logger()
	listed := v.place.Done
	for !v.place.Done {
		if err := v.listPart(ctx); err != nil || v.over() {
			return err
		}
	}
	// A plan is not made in what little time a listing leaves: whoever reads all that is known needs some.
	if !listed && time.Until(v.Deadline) < v.Deadline.Sub(v.start)/2 {
		return v.handOver(ctx)
	}
	return v.makePlan(ctx)
}

// tick begins a sweep, or goes on with one, unless another is under way.
func (v *survey) tick(ctx context.Context) error {
	if err := v.loadPointer(ctx); err != nil {
		return err
	}
	p, now := &v.pointer, time.Now()
	switch {
	case p.unfinished(v.Owner, now):
		v.id, v.spec = p.Current.ID, p.Current.Spec // a redelivery goes on where its predecessor died
		if err := v.take(ctx); err != nil {
			return err
		}
		return v.resume(ctx)
	case p.alive(now) && p.covers(v.spec, now):
		v.id, v.summary.Outcome = p.Current.ID, AlreadyRunning
		return nil
	case p.alive(now):
		if free, err := v.wait(ctx); err != nil || !free {
			v.summary.Outcome = Waiting
			return err
		}
	}
	asked := v.spec
	p.note(asked, now) // behind those that nobody was left to begin
	// A crash right after this write: as of take.
	if err := v.beginWaiting(ctx, v.Deadline); err != nil {
		return err
	}
	if v.id, v.spec = p.Current.ID, p.Current.Spec; !v.spec.covers(asked) {
		v.Log.Info().Str("under_way", v.id).Msg("another sweep has waited for longer and begins; this one waits for its turn")
	}
	return nil
}

// continued goes on with a sweep, if its continuation is to.
func (v *survey) continued(ctx context.Context) error {
	overtaken, err := v.overtaken(ctx)
	switch {
	case err != nil:
		return err
	case overtaken:
		return v.giveIn(ctx, false)
	case v.pointer.shown(v.id):
		v.summary.Outcome = LostRace
		return nil
	case v.pointer.Current.ID != v.id, v.pointer.Current.Until.Before(v.Deadline):
		// Lost, or written over by who had read it before this sweep began; or this is a late delivery.
		if err := v.take(ctx); err != nil {
			return err
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

// resume reads the parts that are there already, and starts the lane if the sweep has been planned.
func (v *survey) resume(ctx context.Context) error {
	var plan Report
	switch err := v.objects.readJSON(ctx, layout.SweepPlan(v.id), &plan); {
	case err == nil:
		return v.startLane(ctx, plan)
	case !errors.Is(err, objstore.ErrNotExist):
		return err
	}
	for ; !v.place.Done; v.part++ {
		h, groups, _, err := readLines[sightLine](ctx, v.objects, layout.SweepInfo(v.id, v.part))
		if errors.Is(err, objstore.ErrNotExist) {
			break
		}
		if err != nil {
			return err
		}
		if err := v.seen.read(h, groups); err != nil {
			return fmt.Errorf("part %d: %w", v.part, err)
		}
		v.place, v.at = h.Listed.Next, h.At
	}
	return nil
}

// listPart looks at more groups and writes what it saw as the next part.
func (v *survey) listPart(ctx context.Context) error {
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
		return cmp.Or(failure, errNoGroup) // the next batch would fare no better
	case failure != nil && (still || l.kept == 0 && !errors.Is(failure, errTimeUp)):
		return failure
	case still && !l.place.Done:
		return fmt.Errorf("%w: time was up before a group was looked at; raise the function's time limit", errNoProgress)
	}
	h := header{
		envelope: envelope{format, v.id}, At: time.Now().UTC().Truncate(time.Second),
		Listed: listed{l.place, l.unlisted[len(v.seen.unlisted):]},
	}
	w, err := lines.close(h)
	if err != nil {
		return err
	}
	// A crash right after this write: the redelivered event, or the next batch, goes on behind this part.
	taken, there, err := v.objects.create(ctx, layout.SweepInfo(v.id, v.part), w)
	switch {
	case err != nil:
		return err
	case taken && v.objects.Since(there.LastModified):
		v.summary.Outcome = LostRace
		return nil
	case taken: // whoever wrote it died: the next batch goes on behind it
		return v.handOver(ctx)
	}
	v.seen.unlisted, v.place, v.at = l.unlisted, l.place, h.At
	v.part++
	if failure != nil {
		v.Log.Warn().Err(failure).Msg("listing stopped early; the next batch goes on")
	}
	if failure == nil && (l.place.Done || !l.timeIsUp()) {
		return nil
	}
	return v.handOver(ctx)
}

// handOver continues the sweep in another invocation: one of two that go on at the same part loses the next.
func (v *survey) handOver(ctx context.Context) error {
	return v.goOn(ctx, Continued, &Continuation{ID: v.id})
}
