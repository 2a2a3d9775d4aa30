package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"chatexport/internal/chat"
	"chatexport/internal/event"
	"chatexport/internal/folder"
	"chatexport/internal/invocation"
	"chatexport/internal/verify"
	"chatexport/scripts/chatexport/internal/cli"
)

// demo is one run of the command.
type demo struct {
	options options
	dir     *folder.Folder
	content content
	console *cli.Console
	tracker *tracker
	env     map[string]string // of the function
	world   *world

	logs  *logs
	drain *drain

	resumed  bool          // an earlier start did not serve its events to the end
	exported time.Duration // time of the draining
	took     use           // of it
	failure  error         // of events that were given up
	results  []checked
	before   map[chat.Seq][]byte // messages of the first group as they were before they were changed
	summary  verify.Summary
}

// run does the whole demo. Progress goes to the console, the result to out.
func run(ctx context.Context, o options, out io.Writer, console *cli.Console) (err error) {
	if err := o.validate(); err != nil {
		return cli.Usage(err)
	}
	env, err := newEnv(o)
	if err != nil {
		return cli.Usage(err)
	}
	c, err := readContent(o)
	if err != nil {
		return cli.Usage(err)
	}
	dir, kept, closeFolder, err := openFolder(ctx, o.out, c)
	if err != nil {
		return cli.Usage(fmt.Errorf("--out: %w", err))
	}
	defer func() { err = cli.Closed(err, closeFolder()) }()

	d := &demo{options: o, dir: dir, content: c, console: console, tracker: newTracker(c), env: env}
	if d.resumed, err = forgetHints(ctx, dir, o); err != nil {
		return cli.Service(err)
	}
	if d.world, err = newWorld(ctx, o, c, kept.Files, env, d.tracker.call); err != nil {
		return cli.Service(err)
	}
	defer func() { err = cli.Closed(err, d.world.close()) }()
	return d.run(ctx, out)
}

func (o options) validate() error {
	const maxLatency, maxTimeLimit = 5 * time.Second, 900 * time.Second
	var problems []error
	if o.messages < 0 {
		problems = append(problems, fmt.Errorf("--messages %d is negative", o.messages))
	}
	if o.latency < 0 || o.latency > maxLatency {
		problems = append(problems, fmt.Errorf("--latency %s is not between 0s and %s", o.latency, maxLatency))
	}
	if o.timeLimit < time.Second || o.timeLimit > maxTimeLimit {
		problems = append(problems, fmt.Errorf("--time-limit %s is not between 1s and %s", o.timeLimit, maxTimeLimit))
	}
	const maxGroups = 20_000
	if o.groups < 0 || o.groups > maxGroups {
		problems = append(problems, fmt.Errorf("--groups %d is not between 0 and %d", o.groups, maxGroups))
	}
	if o.out == "" {
		problems = append(problems, errors.New("--out is empty"))
	}
	return errors.Join(problems...)
}

// run exports, verifies and reports.
func (d *demo) run(ctx context.Context, out io.Writer) error {
	err := d.export(ctx)
	switch {
	case ctx.Err() != nil:
		return d.interrupted(err)
	case err != nil && d.drain != nil && len(d.world.Queue.Dead()) > 0:
		d.failure = err // what is archived is worth a look all the same
	case err != nil:
		return cli.Service(err)
	}
	d.console.Line("verifying: every object, and every message and file against the emulated services")
	var seen sight
	stop := d.console.Watch(func() string {
		return fmt.Sprintf("verifying: %s read, %s of %s messages compared", cli.Plural(seen.objects.Load(), "object"),
			cli.Count(min(seen.messages.Load(), int64(d.content.total))), cli.Count(d.content.total))
	})
	d.results, d.summary, err = check(ctx, d.world, d.content, d.before, &seen)
	stop()
	if err != nil {
		if ctx.Err() != nil {
			return d.interrupted(err)
		}
		return cli.Service(errors.Join(d.failure, err))
	}
	if err := d.report(out); err != nil {
		return err
	}
	switch {
	case d.failure != nil:
		return cli.Service(d.failure)
	case !d.sound():
		return cli.Wrong(errors.New("the archive is not what it should be, see above"))
	default:
		return nil
	}
}

func (d *demo) interrupted(err error) error {
	if err != nil && !errors.Is(err, context.Canceled) {
		d.console.Line("%v", err)
	}
	return cli.Interrupted(fmt.Errorf("interrupted; what is archived is kept. To go on: %s", d.command()))
}

// export fires the timer and serves the function's events.
func (d *demo) export(ctx context.Context) error {
	d.logs = &logs{
		console: d.console, all: d.options.log, many: d.options.groups > maxRows, tracker: d.tracker, stopped: func() bool { return ctx.Err() != nil },
	}
	for _, s := range d.content.streams() {
		d.logs.width = max(d.logs.width, len(cli.StreamName(s)))
	}
	d.drain = &drain{
		queue: d.world.Queue, console: d.console, timeLimit: d.options.timeLimit,
		handler: invocation.New(func(name string) string { return d.env[name] }, d.logs),
	}
	d.console.Line("emulators: Chat %s, COS %s, cloud API %s", d.env["CHAT_ENDPOINT"], d.env["COS_ENDPOINT"], d.env["CLOUD_ENDPOINT"])
	d.console.Line("groups: %s messages of %s", cli.Count(d.content.total), d.content.source)
	if n := d.content.storable(); n > 0 {
		d.console.Line("files: made for this demo, %s of them to be had", cli.Count(n))
	}
	if err := d.lookBack(ctx); err != nil {
		return err
	}
	task, what := event.Task{Groups: d.content.streams()}, ""
	if d.options.groups > 0 {
		task, what = event.Task{Sweep: json.RawMessage(`{}`)}, "a sweep of "
	}
	d.console.Line("firing the timer for %s%s", what, cli.Plural(len(d.content.groups), "group"))
	// A crash right after this: the next start finds nothing, or a little, under way.
	if err := put(d.dir, underWayName, nil); err != nil {
		return err
	}
	if err := d.drain.tick(task); err != nil {
		return err
	}
	start := time.Now()
	stop := d.console.Watch(func() string { return d.progress(ctx) })
	err := d.drain.run(ctx)
	stop()
	d.exported, d.took = time.Since(start), d.use()
	if err == nil {
		err = d.lookAgain(ctx)
	}
	if err != nil {
		return err
	}
	// A crash right before this: the next start has as little to do as after it, and takes more requests for it.
	return d.dir.Remove(underWayName)
}

// progress says how far the messages are, and the files.
func (d *demo) progress(ctx context.Context) string {
	text := fmt.Sprintf("pulled: %s of %s messages", cli.Count(d.tracker.count()), cli.Count(d.content.total))
	if all := d.content.storable(); all > 0 {
		n, size := stored(ctx, d.world.store)
		text += fmt.Sprintf("; stored: %s of %s files, %s", cli.Count(n), cli.Count(all), cli.Bytes(size))
	}
	return text
}

// lookBack finds what an earlier start archived, for the picture of progress.
func (d *demo) lookBack(ctx context.Context) error {
	for _, g := range d.content.groups {
		if len(g.messages) == 0 {
			continue
		}
		hi, err := archivedTo(ctx, d.world.store, g.stream)
		if err != nil {
			return err
		}
		d.tracker.add(g.stream, 1, hi)
	}
	if d.resumed {
		d.console.Line("going on: %s messages are archived already", cli.Count(d.tracker.count()))
	}
	return nil
}

func (d *demo) sound() bool {
	for i := range d.results {
		if !d.results[i].sound() {
			return false
		}
	}
	return d.summary.Sound()
}
