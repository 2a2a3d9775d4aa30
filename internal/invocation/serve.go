package invocation

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/rs/zerolog"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/event"
	"chatexport/internal/export"
	"chatexport/internal/requeue"
	"chatexport/internal/retry"
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

// visit is the serving of one event, as long as an invocation.
type visit struct {
	*instance

	platform  Platform
	publisher *requeue.Publisher
	engine    *export.Engine
	event     event.Event
	owner     string // names the event in leases
	start     time.Time
	deadline  time.Time
	log       zerolog.Logger

	// While several streams are served, their trails are left until no stream has messages left.
	messagesOnly bool
	trails       []unit // that are to be followed then

	summary summary
	longest time.Duration // of the batches so far
}

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
	v.messagesOnly = len(units) > 1
	failure = errors.Join(failure, v.serveAll(ctx, units, len(units) == 1))
	if trails := v.trails; len(trails) > 0 { // when no stream has messages left
		v.messagesOnly, v.trails = false, nil
		failure = errors.Join(failure, v.serveAll(ctx, trails, false))
	}
	v.summary.ElapsedMS = time.Since(v.start).Milliseconds()
	if failure != nil && v.summary.HandedOn == 0 {
		return nil, failure
	}
	if failure != nil {
		// A redelivery would hand the same things on once more: what failed now is left to the next tick.
		v.log.Error().Err(failure).Str("outcome", "error").Msg("part of the event is left to the next tick")
	}
	body, err := json.Marshal(v.summary)
	if err != nil {
		return nil, fmt.Errorf("encode summary: %w", err)
	}
	return body, nil
}

// serveAll serves one thing after the other, and hands on what there is no time for.
func (v *visit) serveAll(ctx context.Context, units []unit, alone bool) error {
	var failure error
	for i, u := range units {
		if v.longest > 0 && v.timeIsShort() {
			return errors.Join(failure, v.handOn(ctx, units[i:]))
		}
		failure = errors.Join(failure, v.serveOne(ctx, u, alone))
	}
	return failure
}

// units lists what there is to do. A sweep that cannot be understood is refused like an event that cannot.
func (v *visit) units() []unit {
	var units []unit
	for _, task := range v.event.Tasks {
		if task.Own() && !v.seal.Fits(task) {
			task = v.doubted(task)
		}
		var tried attempt
		if len(task.Attempt) > 0 && json.Unmarshal(task.Attempt, &tried) != nil { // of another build
			tried = attempt{}
			v.log.Warn().Msg("the task is served as if it had never failed")
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
			one.V, one.Continue, one.Attempt = task.V, task.Continue, task.Attempt // sealed anew where they are handed on
			units = append(units, unit{task: one, stream: s, attempt: tried})
		}
	}
	return units
}

// doubted returns what a task is served as whose seal does not fit: it was forged, or sealed before CHAT_SECRET_KEY was
// changed. Nothing in it is believed, but no lease stops it: the run that it may come from has no other event.
func (v *visit) doubted(task event.Task) event.Task {
	v.log.Warn().Str("group_id", task.GroupID).Str("topic_id", task.TopicID).
		Msg("the event is not sealed with this function's key (is forged, or from before a change of CHAT_SECRET_KEY); it is served as a tick")
	if len(task.Continue) > 0 {
		task.Continue = []byte("{}")
	}
	if len(task.Sweep) > 0 {
		task.Continue = nil // what is left is planned anew
	}
	task.Attempt, task.MAC = nil, nil
	return task
}

func (v *visit) timeIsShort() bool {
	least := time.Duration(startShare * float64(v.deadline.Sub(v.start)))
	return time.Until(v.deadline) < max(startFactor*v.longest, least)
}

// serveOne does one batch. The error is for the platform: the event is to be delivered again. What the platform does not
// deliver again is handed on by itself if it fails, so that it stops neither the others of its event nor a partition.
func (v *visit) serveOne(ctx context.Context, u unit, alone bool) error {
	again := alone && u.attempt.N == 0 && v.event.Kind != event.KindCKafka
	deadline := v.deadline
	if !again { // it must be handed on even if it fails at the last moment, and what comes after it, too
		deadline = deadline.Add(-retry.Share(v.deadline.Sub(v.start), handOnShare, 0, maxHandOn))
	}
	bounded, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	began := time.Now()
	batch := v.export
	if u.sweeps() {
		batch = v.sweep
	}
	failed, err := batch(bounded, u, deadline)
	v.longest = max(v.longest, time.Since(began))
	switch {
	case err == nil:
		return nil
	case again:
		return err
	case u.attempt.N >= maxAttempts:
		v.giveUp(ctx, u, err)
		return nil
	}
	if handing := v.tryAgain(ctx, u, failed); handing != nil {
		return errors.Join(err, handing)
	}
	return nil
}

// export does one batch of a stream. With an error comes what the next attempt is to know.
func (v *visit) export(ctx context.Context, u unit, deadline time.Time) (attempt, error) {
	req := v.request(u, deadline)
	result, err := v.engine.Run(ctx, req)
	v.report(req.Log, result, err)
	if result.Outcome == archive.StatusFailed {
		v.checked = false // perhaps the bucket has changed: look at it again before the next write
	}
	if v.messagesOnly && err == nil && result.Left {
		v.trails = append(v.trails, unit{task: event.For(u.stream), stream: u.stream})
	}
	if err != nil {
		err = fmt.Errorf("export %s: %w", u.stream, err)
	}
	return attempt{Owner: req.Owner, Failed: append(u.attempt.Failed, result.Writer)}, err
}

func (v *visit) request(u unit, deadline time.Time) export.Request {
	return export.Request{
		Stream: u.stream, Continuation: u.task.Continue, RequestID: v.platform.RequestID, Deadline: deadline,
		Log: v.log.With().Str("group_id", u.stream.GroupID).Str("topic_id", u.stream.TopicID).Logger(),
		// What failed before may have left its lease, and writes that are still under way.
		Owner: cmp.Or(u.attempt.Owner, v.owner), Predecessors: u.attempt.Failed, MessagesOnly: v.messagesOnly,
	}
}

// giveUp ends the attempts. A stream's state tells of it, and a later tick tries again.
func (v *visit) giveUp(ctx context.Context, u unit, cause error) {
	if u.sweeps() {
		v.log.Error().Err(cause).Msg("the batch is given up; the next sweep sees to what it would have done")
		return
	}
	req := v.request(u, v.deadline)
	if err := v.engine.Abandon(ctx, req, cause); err != nil {
		req.Log.Warn().Err(err).Msg("failure not recorded")
	}
}

// tryAgain hands a task that failed on, with what the next attempt is to know.
func (v *visit) tryAgain(ctx context.Context, u unit, next attempt) error {
	next.N = u.attempt.N + 1
	var err error
	task := u.task
	task.V = event.Version
	if task.Attempt, err = json.Marshal(next); err != nil {
		return fmt.Errorf("encode attempt: %w", err)
	}
	return v.publish(ctx, task)
}

// handOn publishes the streams that there was no time for: ticks together, continuations each as it came.
func (v *visit) handOn(ctx context.Context, units []unit) error {
	var failure error
	var groups []chat.Stream
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
		groups = append(groups, u.stream)
		if len(groups) == groupsPerTask {
			flush()
		}
	}
	flush()
	return failure
}

// Continue implements export.Requeuer.
func (v *visit) Continue(ctx context.Context, s chat.Stream, next []byte) error {
	task := event.For(s)
	task.V, task.Continue = event.Version, next
	return v.publish(ctx, task)
}

func (v *visit) publish(ctx context.Context, task event.Task) error {
	if task.Own() {
		task = v.seal.Put(task)
	}
	body, err := task.Encode()
	if err != nil {
		return fmt.Errorf("encode task: %w", err)
	}
	// A crash right after this: the whole event is delivered again, and what was handed on is done twice, or found done.
	if err := v.publisher.Publish(ctx, body); err != nil {
		return fmt.Errorf("hand on: %w", err)
	}
	v.summary.HandedOn++
	return nil
}
