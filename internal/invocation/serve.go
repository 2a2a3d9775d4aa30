package invocation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/event"
	"chatexport/internal/export"
	"chatexport/internal/sweep"
)

const (
	// handOnShare of the time is kept for handing on what was not served. No further stream is begun in startShare, or in
	// less than startFactor times what the longest batch of the event took: it would fail for want of time.
	handOnShare = 0.1
	maxHandOn   = 2 * time.Second
	startShare  = 0.25
	startFactor = 2
	// groupsPerTask keeps a task of handed-on groups far below the size of an event, however long their ids.
	groupsPerTask = 200
)

// unit is one thing to serve: a stream, or a batch of a sweep.
type unit struct {
	task    event.Task // names this one thing
	stream  chat.Stream
	spec    sweep.Spec // of a sweep
	attempt attempt
}

func (u *unit) sweeps() bool { return len(u.task.Sweep) > 0 }

// serve does what the event asks for, stream by stream.
func (v *visit) serve(ctx context.Context) ([]byte, error) {
	v.summary.RequestID, v.summary.Event = v.platform.RequestID, string(v.event.Kind)
	units := v.units()
	failure := v.reject(ctx)
	for i, u := range units {
		if i > 0 && v.timeIsShort() {
			failure = errors.Join(failure, v.handOn(ctx, units[i:]))
			break
		}
		if err := v.serveOne(ctx, u, len(units)); err != nil {
			failure = errors.Join(failure, err)
		}
	}
	v.summary.ElapsedMS = time.Since(v.start).Milliseconds()
	v.summary.HandedOn = v.handedOn
	body, err := encodeSummary(v.summary)
	switch {
	case failure == nil:
		return body, err
	case v.handedOn > 0:
		// A redelivery would hand the same things on once more: what failed now is left to the next tick.
		v.log.Error().Err(failure).Str("outcome", "error").Msg("part of the event is left to the next tick")
		return body, err
	default:
		return nil, failure
	}
}

// units lists what there is to do. A sweep that cannot be understood is refused like an event that cannot.
func (v *visit) units() []unit {
	var units []unit
	for _, task := range v.event.Tasks {
		tried, err := parseAttempt(task.Attempt)
		if err != nil {
			v.log.Warn().Err(err).Msg("the task is served as if it had never failed")
		}
		if len(task.Sweep) > 0 {
			spec, err := sweep.ParseSpec(task.Sweep)
			if err != nil {
				v.event.Rejected = append(v.event.Rejected, event.Rejection{N: task.Record, Body: task.Sweep, Reason: err})
				continue
			}
			units = append(units, unit{task: task, spec: spec, attempt: tried})
			continue
		}
		for _, s := range task.Streams() {
			one := event.For(s)
			one.V, one.Continue, one.Attempt = task.V, task.Continue, task.Attempt
			units = append(units, unit{task: one, stream: s, attempt: tried})
		}
	}
	return units
}

func (v *visit) timeIsShort() bool {
	return time.Until(v.deadline) < max(startFactor*v.longest, time.Duration(startShare*float64(v.deadline.Sub(v.start))))
}

// serveOne does one batch. The error is for the platform: the event is to be delivered again.
func (v *visit) serveOne(ctx context.Context, u unit, of int) error {
	if u.sweeps() {
		return v.serveSweep(ctx, u, of)
	}
	again, deadline := v.terms(u, of)
	log := v.log.With().Str("group_id", u.stream.GroupID).Str("topic_id", u.stream.TopicID).Logger()
	req := export.Request{
		Stream: u.stream, Continuation: u.task.Continue, Owner: v.owner, RequestID: v.platform.RequestID,
		Deadline: deadline, Log: log,
	}
	if u.attempt.N > 0 {
		// What failed may have left its lease, and writes that are still under way.
		req.Owner, req.Predecessors = cmp.Or(u.attempt.Owner, v.owner), u.attempt.Failed
	}
	bounded, cancel := context.WithDeadline(ctx, req.Deadline)
	defer cancel()
	result, err := v.engine.Run(bounded, req)
	v.longest = max(v.longest, result.Elapsed)
	v.report(log, result, err)
	if result.Outcome == export.Continued {
		v.handedOn++
	}
	if result.Outcome == archive.StatusFailed {
		v.checked = false // perhaps the bucket has changed: look at it again before the next write
	}
	if err == nil {
		return nil
	}
	if again {
		return fmt.Errorf("export %s: %w", u.stream, err)
	}
	return v.failed(ctx, u, req, result.Writer, err)
}

// terms returns whether the platform delivers the event again if the unit fails, and when the unit must be over. What it
// does not deliver again must be handed on, even if it fails at the last moment, and what comes after it, too.
func (v *visit) terms(u unit, of int) (again bool, deadline time.Time) {
	if of == 1 && u.attempt.N == 0 && v.event.Kind != event.KindCKafka {
		return true, v.deadline
	}
	return false, v.deadline.Add(-min(maxHandOn, time.Duration(handOnShare*float64(v.deadline.Sub(v.start)))))
}

// failed hands a task that failed on by itself, so that it stops neither the others of its event nor a partition. After
// enough attempts it is recorded in the stream's state; a later tick tries again. writer is the batch that failed.
func (v *visit) failed(ctx context.Context, u unit, req export.Request, writer string, cause error) error {
	if u.attempt.N >= maxAttempts {
		if err := v.engine.Abandon(ctx, req, cause); err != nil {
			req.Log.Warn().Err(err).Msg("failure not recorded")
		}
		return nil
	}
	if err := v.tryAgain(ctx, u, attempt{Owner: req.Owner, Failed: append(u.attempt.Failed, writer)}); err != nil {
		return errors.Join(fmt.Errorf("export %s: %w", u.stream, cause), err)
	}
	return nil
}

// tryAgain hands a task that failed on, with what the next attempt is to know.
func (v *visit) tryAgain(ctx context.Context, u unit, next attempt) error {
	next.N = u.attempt.N + 1
	var err error
	task := u.task
	task.V = event.Version
	if task.Attempt, err = next.encode(); err != nil {
		return err
	}
	return v.publish(ctx, task)
}

// handOn publishes the streams that there was no time for: ticks together, continuations each as it came.
func (v *visit) handOn(ctx context.Context, units []unit) error {
	var failure error
	var groups []event.Group
	flush := func() {
		if len(groups) > 0 {
			// Without a continuation, which would belong to one group: it is a tick for those groups.
			failure = errors.Join(failure, v.publish(ctx, event.Task{Groups: groups}))
			groups = nil
		}
	}
	for _, u := range units {
		if u.sweeps() || u.task.Own() {
			failure = errors.Join(failure, v.publish(ctx, u.task))
			continue
		}
		groups = append(groups, event.Group{GroupID: u.stream.GroupID, TopicID: u.stream.TopicID})
		if len(groups) == groupsPerTask {
			flush()
		}
	}
	flush()
	return failure
}

func (v *visit) publish(ctx context.Context, task event.Task) error {
	body, err := task.Encode()
	if err != nil {
		return fmt.Errorf("encode task: %w", err)
	}
	// A crash right after this: the whole event is delivered again, and what was handed on is done twice, or found done.
	if err := v.publisher.Publish(ctx, body); err != nil {
		return fmt.Errorf("hand on: %w", err)
	}
	v.handedOn++
	return nil
}
