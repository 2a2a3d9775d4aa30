package conversation_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"chatexport/internal/archive"
	"chatexport/internal/archive/archivetest"
	"chatexport/internal/catalog"
	"chatexport/internal/chat"
	"chatexport/internal/conversation"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/internal/objstore/memstore"
)

const (
	day   = 24 * 60 * 60
	start = 1704153600 // 2024-01-02 00:00 UTC
)

// store counts what is read of it.
type store struct {
	*memstore.Store

	mu   sync.Mutex
	read map[string]int
}

func (s *store) Get(ctx context.Context, key string) ([]byte, objstore.Object, error) {
	s.mu.Lock()
	s.read[key]++
	s.mu.Unlock()
	return s.Store.Get(ctx, key)
}

// chunks returns how many reads of chunks there were since the last call.
func (s *store) chunks() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for key, count := range s.read {
		if strings.HasPrefix(key, layout.DataPrefix) {
			n += count
		}
	}
	clear(s.read)
	return n
}

var _ catalog.Store = (*store)(nil)

// scene is the archive of one group, built step by step.
type scene struct {
	*archivetest.Builder

	t     testing.TB
	store *store
	look  string
}

func build(t testing.TB, firstLo chat.Seq) *scene {
	t.Helper()
	s := &store{Store: memstore.New(memstore.Options{}), read: map[string]int{}}
	b := archivetest.Build(t, s, chat.Stream{GroupID: "g"}, firstLo)
	return &scene{Builder: b, t: t, store: s, look: b.Link.SHA256}
}

func said(seq chat.Seq, at int64, text string) string {
	return fmt.Sprintf(`{"From_Account":"u%d","MsgBody":[{"MsgContent":{"Text":%q},"MsgType":"TIMTextElem"}],"MsgRandom":1,"MsgSeq":%d,"MsgTimeStamp":%d}`, seq%3, text, seq, at)
}

// chunk writes the next chunk, up to hi, with these elements.
func (s *scene) chunk(hi chat.Seq, elements ...string) {
	s.t.Helper()
	s.Chunk(hi, archivetest.Elements(s.t, elements...)...)
}

// changed writes the receipt of a look at [lo, hi].
func (s *scene) changed(lo, hi chat.Seq, lines ...archive.ChangeLine) {
	s.t.Helper()
	var w archive.ChangeWriter
	for _, line := range lines {
		if err := w.Add(line); err != nil {
			s.t.Fatal(err)
		}
	}
	if same := int64(hi-lo+1) - int64(len(lines)); same > 0 {
		w.Count(archive.ChangeSame, same)
	}
	r, err := w.Receipt(archive.ReceiptMeta{Lo: lo, Hi: hi, From: start + 9*day, To: start + 9*day + 60, Run: "run", Writer: "writer", Previous: s.look})
	if err != nil {
		s.t.Fatal(err)
	}
	s.look = r.Meta.SHA256
	if _, err := s.store.Overwrite(s.t.Context(), layout.Change(s.Stream, lo), objstore.Write{Body: r.Body, Metadata: archive.Change().Metadata(r.Meta)}); err != nil {
		s.t.Fatal(err)
	}
}

func line(element string) string { return `{"GroupId":"g",` + element[1:] }

func difference(seq chat.Seq, kind, was, now string) archive.ChangeLine {
	c := archive.ChangeLine{Seq: seq, Kind: kind, SeenAt: start + 9*day}
	if was != "" {
		c.Was = archivetest.Hash([]byte(line(was)))
	}
	if now != "" {
		c.Now = []byte(line(now))
	}
	return c
}

// open opens the conversation.
func (s *scene) open(opts conversation.Options) *conversation.Conversation {
	s.t.Helper()
	c, err := conversation.NewReader(s.store, opts).Open(s.t.Context(), s.Stream, 0)
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

func pageOf(t testing.TB, c *conversation.Conversation, q conversation.Query) *conversation.Page {
	t.Helper()
	if q.Zone == nil {
		q.Zone = time.UTC
	}
	p, err := c.Day(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func date(t testing.TB, text string) conversation.Date {
	t.Helper()
	d, err := conversation.ParseDate(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// shown writes rows in short: the seqs, what is missing, and what became of messages.
func shown(rows []conversation.Row) string {
	var words []string
	for _, r := range rows {
		switch {
		case r.Gap != nil && r.Gap.Hi != r.Gap.Lo:
			words = append(words, fmt.Sprintf("%s:%d-%d", r.Gap.Kind, r.Gap.Lo, r.Gap.Hi))
		case r.Gap != nil:
			words = append(words, fmt.Sprintf("%s:%d", r.Gap.Kind, r.Gap.Lo))
		case r.Message.Change != nil:
			words = append(words, fmt.Sprintf("%d(%s)", r.Message.Seq, r.Message.Change.Kind))
		default:
			words = append(words, fmt.Sprint(r.Message.Seq))
		}
	}
	return strings.Join(words, " ")
}

// textOf is what a content says.
func textOf(c *conversation.Content) string {
	if c == nil {
		return "-"
	}
	var texts []string
	for _, p := range c.Parts {
		texts = append(texts, p.Text)
	}
	return strings.Join(texts, "|")
}
