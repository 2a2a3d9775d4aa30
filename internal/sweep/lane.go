package sweep

import (
	"context"
	"errors"
	"fmt"
	"time"

	"chatexport/internal/layout"
	"chatexport/internal/objstore"
)

// errStuck means that everything a lane tried failed: nothing is gained by failing for the rest of the plan, too.
var errStuck = errors.New("the lane stands still: every stream that it began failed")

// laneOwner names every lane in the leases of streams: there is one at a time, and what one began, the next takes up at
// once.
const laneOwner = "sweep"

// lane is one batch of a lane.
type lane struct {
	stint

	batch  int          // from 0
	header resultHeader // where the batch begins, then what it came to
	opens  []open       // carried over
}

// laneBatch does one batch of a lane.
func (s *Sweeper) laneBatch(ctx context.Context, spec Spec, id string, batch int, req Request) (Summary, error) {
	l := &lane{stint: s.stint(spec, id, req), batch: batch}
	l.summary.Lane, l.summary.Batch = true, batch
	l.Log = l.Log.With().Str("sweep", id).Int("batch", batch).Logger()
	err := l.run(ctx)
	l.summary.Elapsed = time.Since(l.start)
	return l.summary, err
}

func (l *lane) run(ctx context.Context) error {
	if l.batch > l.Settings.MaxHops {
		l.Log.Warn().Msg("the continuation names one batch of the lane too many; the next sweep goes on")
		l.summary.Outcome = Lost
		return nil
	}
	done, err := l.resume(ctx)
	if done || err != nil {
		return err
	}
	b := newBoard(l)
	if err := b.work(ctx); err != nil {
		return err
	}
	return l.conclude(ctx, b)
}

// resume reads where the batch before ended. It reports true if this batch has been done already.
func (l *lane) resume(ctx context.Context) (bool, error) {
	body, object, err := l.objects.read(ctx, layout.SweepResult(l.id, l.batch))
	if err == nil {
		return true, l.follow(ctx, body, object)
	}
	if !errors.Is(err, objstore.ErrNotExist) {
		return false, err
	}
	if l.batch == 0 {
		return false, nil
	}
	others, err := readResult(ctx, l.objects, l.id, l.batch-1, &l.header)
	if err != nil {
		return false, err
	}
	for line, err := range others {
		if err != nil {
			return false, err
		}
		if line.Open != nil && possible(line.Open.stream()) { // one line is not to cost all the others
			l.opens = append(l.opens, *line.Open)
		}
	}
	return false, nil
}

// follow goes on behind a result that is there already: this batch's own, of an earlier delivery, or another's.
func (l *lane) follow(ctx context.Context, body []byte, object objstore.Object) error {
	for n := l.batch; ; n++ {
		var h resultHeader
		if _, err := openLines[resultLine](body, &h); err != nil {
			return err
		}
		if l.objects.Since(object.LastModified) {
			l.summary.Outcome = LostRace // who wrote it goes on, or is delivered again
			return nil
		}
		l.header = h
		if h.Last {
			return l.finish(ctx)
		}
		var err error
		body, object, err = l.objects.read(ctx, layout.SweepResult(l.id, n+1))
		if errors.Is(err, objstore.ErrNotExist) {
			return l.handOver(ctx)
		}
		if err != nil {
			return err
		}
	}
}

// conclude writes what the batch came to, and hands the rest on.
func (l *lane) conclude(ctx context.Context, b *board) error {
	last := b.exhausted()
	if b.over == 0 && !b.moved && !last {
		return fmt.Errorf("%w: time was up before any stream got on; raise the function's time limit or CHAT_QPS", errNoProgress)
	}
	l.header.envelope, l.header.Batch, l.header.Last = envelope{format, l.id}, l.batch, last
	l.header.At = time.Now().UTC()
	l.header.Short, l.header.Long = b.short.next, b.long.next
	l.header.Tally.join(b.tally)
	l.header.Failures.join(b.failures)
	l.header.Expired.join(b.expired)
	l.summary.Tally = b.tally
	b.suspect(l.header.Tally)
	for _, o := range b.left() {
		b.lines.add(resultLine{Open: &o})
	}
	w, err := b.lines.close(l.header)
	if err != nil {
		return err
	}
	// A crash right after this write: the redelivered event finds it, and publishes what comes next.
	taken, object, err := l.objects.create(ctx, layout.SweepResult(l.id, l.batch), w)
	switch {
	case err != nil:
		return err
	case taken != nil:
		return l.follow(ctx, taken, object)
	case last:
		return l.finish(ctx)
	default:
		return l.handOver(ctx)
	}
}

// handOver publishes the next batch, unless the sweep has had its turn.
func (l *lane) handOver(ctx context.Context) error {
	return l.goOn(ctx, Continued, &Continuation{ID: l.id, Batch: new(l.header.Batch + 1)}, l.tell)
}

// finish ends the lane with the sweep's report.
func (l *lane) finish(ctx context.Context) error {
	var plan planObject
	if err := l.objects.readJSON(ctx, layout.SweepPlan(l.id), &plan); err != nil {
		return err
	}
	plan.Report.conclude(&l.header)
	if err := l.objects.report(ctx, plan.Report); err != nil {
		return err
	}
	return l.goOn(ctx, Complete, nil, l.tell)
}

// tell notes how far the lane is: whoever wants to know looks on from there.
func (l *lane) tell(b *base) {
	b.started(l.id)
	b.heard(&l.header)
}
