package verify_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/archive"
	"chatexport/internal/archive/archivetest"
	"chatexport/internal/chat"
	"chatexport/internal/verify"
)

// sent archives elements of seq 1 on as a whole stream.
func sent(t *testing.T, store *memStore, s chat.Stream, elements ...string) *builder {
	t.Helper()
	b, _ := sentChunk(t, store, s, elements...)
	b.State(nil)
	return b
}

// sentChunk archives elements of seq 1 on as the first chunk of a stream.
func sentChunk(t *testing.T, store *memStore, s chat.Stream, elements ...string) (*builder, archive.Chunk) {
	t.Helper()
	b := build(t, store, s, 1)
	c := archivetest.Chunk(t, s, 1, chat.Seq(len(elements)), archivetest.Elements(t, elements...)...)
	b.Put(c)
	return b, c
}

func TestOwnIDs_AreSound(t *testing.T) {
	t.Parallel()
	for _, s := range []chat.Stream{group(), topic()} {
		for _, listed := range []bool{false, true} {
			store := newMemStore()
			elements := []string{
				`{"GroupId":null,"MsgSeq":1}`, `{"GroupId":"","MsgSeq":2}`, `{"MsgSeq":3,"GroupId":"@TGS#other"}`,
				`{"TopicId":null,"MsgSeq":4}`, `{"TopicId":"","MsgSeq":5}`, `{"MsgSeq":6,"TopicId":"@TGS#other"}`,
				`{"MsgSeq":7,"TopicId":null,"GroupId":"","A":"\u0041"}`, `{"GroupId":7,"MsgSeq":8}`, `{"MsgSeq":9,"Group\u0049d":"x"}`,
			}
			b := sent(t, store, s, elements...)
			if listed {
				b.Manifest(archive.StatusComplete)
				b.State(nil)
			}
			report, err := verify.Stream(t.Context(), store, s, verify.Options{})
			if err != nil || !report.Sound() || report.Totals.Messages != 9 {
				t.Errorf("%s: %+v, error %v", s, report, err)
			}
			diff, err := verify.Compare(t.Context(), store, s, func(yield func(chat.Seq, []byte) bool) {
				for i, raw := range elements {
					if !yield(chat.Seq(i+1), []byte(raw)) {
						return
					}
				}
			})
			if err != nil || !diff.Same() || diff.Equal != 9 {
				t.Errorf("%s: %v, error %v", s, &diff, err)
			}
		}
	}
}

func TestCompare_KnowsWhichIDsTheServiceSent(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ archived, truth string }{
		"other id than was sent":   {`{"GroupId":"x","MsgSeq":1}`, `{"GroupId":"y","MsgSeq":1}`},
		"id that was not sent":     {`{"GroupId":null,"MsgSeq":1}`, `{"MsgSeq":1}`},
		"id of its own is lost":    {`{"MsgSeq":1}`, `{"MsgSeq":1,"GroupId":"@TGS#1"}`},
		"id that is spliced twice": {`{"GroupId":"@TGS#1","GroupId":"x","MsgSeq":1}`, `{"GroupId":"x","MsgSeq":1}`},
		"escaped and twice":        {`{"GroupId":"@TGS#1","Group\u0049d":"x","MsgSeq":1}`, `{"Group\u0049d":"x","MsgSeq":1}`},
	} {
		store := newMemStore()
		sent(t, store, group(), tt.archived)
		diff, err := verify.Compare(t.Context(), store, group(), func(yield func(chat.Seq, []byte) bool) { yield(1, []byte(tt.truth)) })
		if err != nil || diff.Different != 1 {
			t.Errorf("%s: %v, error %v", name, &diff, err)
		}
	}
}

func TestOtherStream_LinesOfOneAreFound(t *testing.T) {
	t.Parallel()
	for name, plant := range map[string]func(b *builder){
		"chunk of another group":            func(b *builder) { b.stand(91, chunk(b.t, chat.Stream{GroupID: "@TGS#2"}, 91, 100)) },
		"chunk of a topic":                  func(b *builder) { b.stand(91, chunk(b.t, topic(), 91, 100)) },
		"fewer lines than the metadata say": func(b *builder) { b.setMeta(91, "other-ids", "1") },
	} {
		store := newMemStore()
		plant(sound(t, store, group()))
		report := verified(t, store, verify.Options{})
		if diff := cmp.Diff([]verify.Kind{verify.KindLine}, kinds(report.Findings)); diff != "" {
			t.Errorf("%s: findings %v", name, report.Findings)
		}
		if len(report.Findings) == 1 && strings.Contains(report.Findings[0].Text, "@TGS#2") {
			t.Errorf("%s: the finding quotes the line: %v", name, report.Findings)
		}
	}
}
