package demo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/catalog"
	"chatexport/internal/chat"
	chatemu "chatexport/internal/emulator/chat"
	"chatexport/internal/event"
	"chatexport/internal/invocation"
	"chatexport/internal/objstore/dirstore"
	"chatexport/scripts/chatexport/internal/cli"
)

// lookAfter is the function's EXPORT_LOOK for the second timer. For the first one looks are off, so that nothing is looked at
// before something has happened to it.
const lookAfter = time.Second

// change is what happens to a message after it was archived.
type change struct {
	seq  chat.Seq
	kind string // as a look calls it
}

// planChanges chooses an edit, a recall and a deletion in the largest group: the same ones for the same content. What is a person's
// own log is not the demo's to change.
func (c *content) planChanges() {
	g := &c.groups[0]
	if !c.hasFiles || g.stream.GroupID != plainGroup {
		return
	}
	kinds := []string{archive.ChangeEdited, archive.ChangeRecalled, archive.ChangeDeleted}
	near := chat.Seq(min(len(g.messages), defaultSpan))
	step := near / chat.Seq(len(kinds)+1)
	g.changes = nil
	for i, kind := range kinds {
		for seq := step * chat.Seq(i+1); seq < step*chat.Seq(i+2); seq++ {
			if _, filed := g.files[seq]; !filed && seq > 0 && seq%chat.PageSize > 1 && isText(g.messages[seq-1]) > 0 {
				g.changes = append(g.changes, change{seq, kind})
				break
			}
		}
	}
}

// lookAgain changes messages and fires another timer, which finds what has changed. An archive that was looked at is left alone.
func (d *demo) lookAgain(ctx context.Context) error {
	g := &d.content.groups[0]
	state, err := catalog.State(ctx, d.world.store, g.stream)
	if err != nil && !catalog.Damaged(err) { // the verifier says what is wrong
		return err
	}
	if len(g.changes) == 0 || state != nil && state.Look != nil && state.Look.Frontier >= state.Frontier {
		return nil
	}
	if d.before, err = happen(d.world.Chat, g); err != nil {
		return err
	}
	d.console.Line("then messages of %s are edited (%d), recalled (%d) and deleted (%d): firing the timer again, with EXPORT_LOOK=%s",
		cli.StreamName(g.stream), g.changes[0].seq, g.changes[1].seq, g.changes[2].seq, lookAfter)
	select {
	case <-time.After(lookAfter):
	case <-ctx.Done():
		return ctx.Err()
	}
	d.env["EXPORT_LOOK"] = lookAfter.String()
	d.drain.handler = invocation.New(func(name string) string { return d.env[name] }, d.logs)
	d.tracker.again()
	if err := d.drain.tick(event.Task{Groups: d.content.streams()}); err != nil {
		return err
	}
	stop := d.console.Watch(func() string {
		return fmt.Sprintf("looked at again: %s of %s messages", cli.Count(d.tracker.count()), cli.Count(d.content.total))
	})
	defer stop()
	return d.drain.run(ctx)
}

// happen changes messages, and returns what they were.
func happen(s *chatemu.Server, g *group) (map[chat.Seq][]byte, error) {
	truth, _, err := s.Truth(g.stream)
	if err != nil {
		return nil, err
	}
	before := make(map[chat.Seq][]byte)
	for r := range truth {
		for _, c := range g.changes {
			if c.seq == r.Seq {
				before[c.seq] = r.JSON
			}
		}
		if len(before) == len(g.changes) {
			break
		}
	}
	for _, c := range g.changes {
		switch c.kind {
		case archive.ChangeEdited:
			err = s.Modify(g.stream, c.seq, chatemu.MsgBody(chatemu.TextElem("never mind, it works now")))
		case archive.ChangeRecalled:
			err = s.Recall(g.stream, c.seq)
		default:
			err = s.Delete(g.stream, c.seq)
		}
		if err != nil {
			return nil, err
		}
	}
	return before, nil
}

// lookTally is what looks found. Members are only ever added.
type lookTally struct {
	Looked int64            `json:"looked"` // seqs
	Counts map[string]int64 `json:"counts"` // of these, by what was found
}

func (t *lookTally) add(other lookTally) {
	t.Looked += other.Looked
	for kind, n := range other.Counts {
		t.Counts[kind] += n
	}
}

// lookCheck holds what looks found against what happened.
type lookCheck struct {
	lookTally

	wrong string // the first difference, in words
}

func checkLooks(ctx context.Context, store *dirstore.Store, g group) (*lookCheck, error) {
	c := &lookCheck{lookTally: lookTally{Counts: map[string]int64{}}}
	expected := make(map[chat.Seq]string, len(g.changes))
	for _, change := range g.changes {
		expected[change.seq] = change.kind
	}
	for chunk, err := range catalog.Chunks(ctx, store, g.stream) {
		if err == nil {
			err = c.chunk(ctx, store, g.stream, &chunk, expected)
		}
		switch {
		case errors.Is(err, catalog.ErrNoArchive):
		case catalog.Damaged(err):
			c.differs("%v", err)
		case err != nil:
			return nil, err
		}
	}
	if c.Looked == int64(len(g.messages)) && len(expected) > 0 {
		c.differs("%d changes were not found", len(expected))
	}
	return c, nil
}

// chunk takes what looks at a chunk found, out of what is expected.
func (c *lookCheck) chunk(ctx context.Context, store *dirstore.Store, s chat.Stream, chunk *archive.ChunkEntry, expected map[chat.Seq]string) error {
	for r, err := range catalog.Looks(ctx, store, s, chunk) {
		if err != nil {
			return err
		}
		c.Looked += int64(r.Hi - r.Lo + 1)
		for kind, n := range r.Counts {
			if n > 0 {
				c.Counts[kind] += n
			}
		}
	}
	for line, err := range catalog.Changes(ctx, store, s, chunk) {
		if err != nil {
			return err
		}
		if expected[line.Seq] != line.Kind {
			c.differs("message %d was found %s, and was not", line.Seq, line.Kind)
		}
		delete(expected, line.Seq)
	}
	return nil
}

func (c *lookCheck) differs(format string, args ...any) {
	if c.wrong == "" {
		c.wrong = fmt.Sprintf(format, args...)
	}
}

// text says on one line what looks found; nothing where there were none.
func (t *lookTally) text() string {
	if t.Looked == 0 {
		return ""
	}
	return fmt.Sprintf("looks: %s looked at again, %d edited, %d recalled and %d deleted since, as it was done to them\n", cli.Plural(t.Looked, "message"),
		t.Counts[archive.ChangeEdited], t.Counts[archive.ChangeRecalled], t.Counts[archive.ChangeDeleted])
}
