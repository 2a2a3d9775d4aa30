package demo

import (
	"context"
	"fmt"
	"io"
	"iter"
	"sync/atomic"

	"chatexport/internal/archive"
	"chatexport/internal/catalog"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/internal/objstore/dirstore"
	"chatexport/internal/verify"
	"chatexport/scripts/chatexport/internal/emulated"
)

// checked is what verification found of one group.
type checked struct {
	stream   chat.Stream
	expected int
	report   verify.Report
	diff     verify.Diff
	files    *fileCheck
	looks    *lookCheck
	state    archive.State
}

// sound means that the archive is proved, complete, and holds exactly the group's messages. Their files may still be
// waited for; those that are accounted for are what they should be.
func (c *checked) sound() bool {
	return c.report.Sound() && c.files.wrong == "" && c.looks.wrong == "" && c.diff.Same() && c.diff.Equal == int64(c.expected) && (c.expected == 0 || c.report.Finished == archive.StatusComplete)
}

// verdict is the same in words.
func (c *checked) verdict() string {
	switch {
	case !c.report.Sound():
		return "UNSOUND: " + c.report.Findings[0].String()
	case !c.diff.Same() && c.diff.Extra == 0 && c.diff.Different == 0:
		return fmt.Sprintf("INCOMPLETE: %d messages are not archived", c.diff.Missing)
	case !c.diff.Same() || c.diff.Equal != int64(c.expected):
		return "WRONG: " + c.diff.String()
	case c.expected > 0 && c.report.Finished != archive.StatusComplete:
		return "INCOMPLETE: no manifest says complete"
	case c.files.wrong != "":
		return "WRONG: " + c.files.wrong
	case c.looks.wrong != "":
		return "WRONG: " + c.looks.wrong
	case c.expected == 0:
		return "sound, empty"
	default:
		return "sound, complete"
	}
}

// sight is how far a verification has come.
type sight struct {
	objects  atomic.Int64 // that were read
	messages atomic.Int64 // that were compared
}

// counted is the store, with what is read of it counted.
type counted struct {
	*dirstore.Store

	seen *sight
}

// Get implements verify.Store.
func (c counted) Get(ctx context.Context, key string) ([]byte, objstore.Object, error) {
	c.seen.objects.Add(1)
	return c.Store.Get(ctx, key)
}

// Open implements verify.Store.
func (c counted) Open(ctx context.Context, key string) (io.ReadCloser, objstore.Object, error) {
	c.seen.objects.Add(1)
	return c.Store.Open(ctx, key)
}

// check proves the whole archive, and compares each group with what the Chat emulator holds; the first with what it held before
// messages were changed.
func check(ctx context.Context, w *world, c content, before map[chat.Seq][]byte, seen *sight) ([]checked, verify.Summary, error) {
	reports := make(map[chat.Stream]verify.Report)
	summary, err := verify.Archive(ctx, counted{w.store, seen}, verify.Options{SDKAppID: emulated.SDKAppID}, func(r verify.Report) error {
		reports[r.Stream] = r
		return nil
	})
	if err != nil {
		return nil, summary, err
	}
	results := make([]checked, len(c.groups))
	for n, g := range c.groups {
		results[n] = checked{stream: g.stream, expected: len(g.messages), report: reports[g.stream]}
		if err := results[n].compare(ctx, w, before, seen); err != nil {
			return nil, summary, err
		}
		if results[n].files, err = checkFiles(ctx, w.store, g); err != nil {
			return nil, summary, err
		}
		if results[n].looks, err = checkLooks(ctx, w.store, g); err != nil {
			return nil, summary, err
		}
		before = nil
	}
	return results, summary, nil
}

// compare holds what is archived against what the service has.
func (c *checked) compare(ctx context.Context, w *world, before map[chat.Seq][]byte, seen *sight) (err error) {
	state, err := catalog.State(ctx, w.store, c.stream)
	if err != nil && !catalog.Damaged(err) { // which is a finding of the report already
		return err
	}
	if state != nil {
		c.state = *state
	}
	truth, err := truthOf(w, c.stream, before, seen)
	if err != nil {
		return err
	}
	c.diff, err = verify.Compare(ctx, w.store, c.stream, truth)
	if err != nil && !catalog.Damaged(err) { // which is a finding of the report already
		return err
	}
	return nil
}

// truthOf yields the elements that the service has of a stream, or those that it had before.
func truthOf(w *world, s chat.Stream, before map[chat.Seq][]byte, seen *sight) (iter.Seq2[chat.Seq, []byte], error) {
	retained, _, err := w.Chat.Truth(s)
	if err != nil {
		return nil, err
	}
	return func(yield func(chat.Seq, []byte) bool) {
		for r := range retained {
			seen.messages.Add(1)
			if was, changed := before[r.Seq]; changed {
				r.JSON = was
			}
			if r.JSON != nil && !yield(r.Seq, r.JSON) {
				return
			}
		}
	}, nil
}

// archivedTo returns the last seq of the stream's last chunk, 0 without one. It is for the picture of progress only:
// the state may be older than the last chunk, and a folder's listings, unlike the service's, are never late.
func archivedTo(ctx context.Context, store *dirstore.Store, s chat.Stream) (chat.Seq, error) {
	var last string
	for entry, err := range store.List(ctx, layout.ChunkPrefix(s), "") {
		if err != nil {
			return 0, err
		}
		last = entry.Key
	}
	if last == "" {
		return 0, nil
	}
	object, err := store.Head(ctx, last)
	if err != nil {
		return 0, err
	}
	meta, err := archive.ParseChunkMeta(object.Metadata)
	if err != nil {
		return 0, nil // the verifier says what is wrong with it
	}
	return meta.Hi, nil
}
