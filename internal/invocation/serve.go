package invocation

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/event"
	"chatexport/internal/export"
	"chatexport/internal/sweep"
)

const (
	// maxAttempts is how often a task that fails is handed on before it is recorded as failed.
	maxAttempts = 3
	// handOnShare of the time is kept for handing on what was not served. No further stream is begun in startShare, or in
	// less than startFactor times what the longest batch of the event took: it would fail for want of time.
	handOnShare = 0.1
	maxHandOn   = 2 * time.Second
	startShare  = 0.25
	startFactor = 2
	// groupsPerTask keeps a task of handed-on groups far below the size of an event, however long their ids.
	groupsPerTask = 200
)

// unit is one stream to serve, or one batch of a sweep or of a lane.
type unit struct {
	task    *event.Task // of a sweep or a lane; nil for a stream
	spec    sweep.Spec  // of a sweep
	stream  chat.Stream
	attempt int
	next    *event.Continue // as it came; nil for ticks and the like
}

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
		if len(task.Sweep) > 0 || task.IsLane() {
			u := unit{task: &task, next: task.Continue}
			if task.Continue != nil {
				u.attempt = task.Continue.Attempt
			}
			if len(task.Sweep) > 0 {
				var err error
				if u.spec, err = sweep.ParseSpec(task.Sweep); err != nil {
					v.event.Rejected = append(v.event.Rejected, event.Rejection{N: task.Record, Body: task.Sweep, Reason: err})
					continue
				}
			}
			units = append(units, u)
			continue
		}
		for _, s := range task.Streams() {
			u := unit{stream: s, next: task.Continue}
			if task.Continue != nil {
				u.attempt = task.Continue.Attempt
			}
			units = append(units, u)
		}
	}
	return units
}

func (v *visit) timeIsShort() bool {
	return time.Until(v.deadline) < max(startFactor*v.longest, time.Duration(startShare*float64(v.deadline.Sub(v.start))))
}

// serveOne does one batch. The error is for the platform: the event is to be delivered again.
func (v *visit) serveOne(ctx context.Context, u unit, of int) error {
	if u.task != nil {
		return v.serveSweep(ctx, u, of)
	}
	again, deadline := v.terms(u, of)
	log := v.log.With().Str("group_id", u.stream.GroupID).Str("topic_id", u.stream.TopicID).Logger()
	req := export.Request{
		Stream: u.stream, Continuation: u.continuation(), Owner: v.owner, RequestID: v.platform.RequestID,
		Deadline: deadline, Log: log,
	}
	if u.attempt > 0 {
		// What failed may have left its lease, and writes that are still under way.
		req.Owner, req.Predecessors = cmp.Or(u.next.Owner, v.owner), strings.Split(u.next.Failed, ",")
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
	if of == 1 && u.attempt == 0 && v.event.Kind != event.KindCKafka {
		return true, v.deadline
	}
	return false, v.deadline.Add(-min(maxHandOn, time.Duration(handOnShare*float64(v.deadline.Sub(v.start)))))
}

// failed hands a task that failed on by itself, so that it stops neither the others of its event nor a partition. After
// enough attempts it is recorded in the stream's state; a later tick tries again. writer is the batch that failed.
func (v *visit) failed(ctx context.Context, u unit, req export.Request, writer string, cause error) error {
	if u.attempt >= maxAttempts {
		if err := v.engine.Abandon(ctx, req, cause); err != nil {
			req.Log.Warn().Err(err).Msg("failure not recorded")
		}
		return nil
	}
	again := event.Continue{}
	if u.next != nil {
		again = *u.next
	}
	again.Attempt, again.Owner = u.attempt+1, req.Owner
	again.Failed = strings.Trim(again.Failed+","+writer, ",")
	task := event.For(u.stream)
	task.V, task.Continue = event.Version, &again
	if err := v.publish(ctx, task); err != nil {
		return errors.Join(fmt.Errorf("export %s: %w", u.stream, cause), err)
	}
	return nil
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
		if u.task != nil {
			failure = errors.Join(failure, v.publish(ctx, *u.task))
			continue
		}
		if u.next != nil && *u.next != (event.Continue{}) {
			task := event.For(u.stream)
			task.V, task.Continue = event.Version, u.next
			failure = errors.Join(failure, v.publish(ctx, task))
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

// continuation returns what the engine is to continue; nil for a task that was only handed on.
func (u unit) continuation() *export.Continuation {
	if u.next == nil || u.next.Cursor == 0 {
		return nil
	}
	return &export.Continuation{Cursor: u.next.Cursor, After: u.next.After, Head: u.next.Head, Run: u.next.Run, Hop: u.next.Hop, Writer: u.next.Writer}
}
