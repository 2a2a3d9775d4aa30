package conversation_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/archive"
	"chatexport/internal/archive/archivetest"
	"chatexport/internal/chat"
	"chatexport/internal/conversation"
	"chatexport/internal/layout"
	"chatexport/internal/objstore"
	"chatexport/testdata"
)

func changedScene(t *testing.T) *scene {
	t.Helper()
	s := build(t, 1)
	var e []string
	for _, seq := range []chat.Seq{1, 2, 3, 5, 6} {
		e = append(e, said(seq, start+int64(seq), fmt.Sprint("old ", seq)))
	}
	e = append(e, `{"IsPlaceMsg":1,"MsgBody":[],"MsgSeq":7,"MsgTimeStamp":0}`)
	s.chunk(8, e...)
	s.Manifest(archive.StatusComplete)
	s.changed(
		1, 8,
		difference(1, archive.ChangeEdited, e[0], said(1, start+1, "new 1")),
		difference(2, archive.ChangeRecalled, e[1], `{"IsPlaceMsg":2,"MsgBody":[],"MsgSeq":2}`),
		difference(3, archive.ChangeDeleted, e[2], `{"IsPlaceMsg":1,"MsgBody":[],"MsgSeq":3}`),
		difference(4, archive.ChangeFound, "", said(4, start+4, "new 4")),
		difference(5, archive.ChangeMissing, e[3], ""),
		difference(7, archive.ChangeEdited, e[5], said(7, start+7, "new 7")),
	)
	return s
}

func TestChange_IsShownBesideWhatWasArchived(t *testing.T) {
	t.Parallel()
	c := changedScene(t).open(conversation.Options{})
	p := pageOf(t, c, conversation.Query{Date: date(t, "2024-01-02")})
	if diff := cmp.Diff("1(edited) 2(recalled) 3(deleted) 4(found) 5(missing) 6 7(edited) absent:8", shown(p.Rows)); diff != "" {
		t.Fatal(diff)
	}
	want := []string{"new 1, before: old 1", "old 2, before: -", "old 3, before: -", "new 4, before: -", "old 5, before: -", "old 6, before: -", "new 7, before: "}
	for i, w := range want {
		m := p.Rows[i].Message
		if got := textOf(m.Shown()) + ", before: " + textOf(m.Before()); got != w {
			t.Errorf("seq %d shows %q, want %q", m.Seq, got, w)
		}
	}
}

func TestChange_ADamagedReceiptIsTold(t *testing.T) {
	t.Parallel()
	s := changedScene(t)
	if _, err := s.store.Overwrite(t.Context(), layout.Change(s.Stream, 1), objstore.Write{Body: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	p := pageOf(t, s.open(conversation.Options{}), conversation.Query{Date: date(t, "2024-01-02")})
	if got := shown(p.Rows); got != "1 2 3 absent:4 5 6 placeholder:7 absent:8" || len(p.Failures) != 1 {
		t.Errorf("%s, %q", got, p.Failures)
	}
}

func TestSearch_FindsWhatFits(t *testing.T) {
	t.Parallel()
	s := changedScene(t)
	s.chunk(
		10,
		`{"From_Account":"@TIM#SYSTEM","IsSystemMsg":1,"MsgBody":{"OpType":1,"Operator_Account":"u9","List_Account":["u9"],"MsgMemberExtraInfo":[{"UserId":"u9","NickName":"Nina"}]},"MsgSeq":9,"MsgTimeStamp":1704240000}`,
		`{"From_Account":"u9","MsgBody":[{"MsgType":"TIMRelayElem","MsgContent":{"Title":"t","MsgList":[{"MsgBody":[{"MsgType":"TIMFileElem","MsgContent":{"FileName":"Ünder.PDF","Url":"x"}}]}]}}],"MsgSeq":10,"MsgTimeStamp":1704240001}`,
	)
	for _, test := range []struct {
		name   string
		wanted conversation.Wanted
		seqs   string
	}{
		{"words, old and new", conversation.Wanted{Words: []string{"OLD", "1"}}, "1"},
		{"a new text", conversation.Wanted{Words: []string{"new"}}, "1 4 7"},
		{"merged, whatever the case", conversation.Wanted{Words: []string{"ünder.pdf"}}, "10"},
		{"a tip by a nickname", conversation.Wanted{Words: []string{"nina"}}, "9"},
		{"a sender", conversation.Wanted{Sender: "U1"}, "1 4 7"},
		{"a period", conversation.Wanted{Since: start + 3, Until: start + 6}, "3 4 5"},
		{"merged messages", conversation.Wanted{Kind: "merged"}, "10"},
		{"tips", conversation.Wanted{Kind: "tip"}, "9"},
		{"edited", conversation.Wanted{Kind: "edited"}, "1 7"},
		{"recalled", conversation.Wanted{Kind: "recalled"}, "2"},
		{"deleted", conversation.Wanted{Kind: "deleted"}, "3 5"},
		{"found", conversation.Wanted{Kind: "found"}, "4"},
		{"behind", conversation.Wanted{Words: []string{"new"}, After: 1}, "4 7"},
		{"nothing", conversation.Wanted{Words: []string{"nowhere"}}, ""},
	} {
		var seqs []string
		var near string
		c := s.open(conversation.Options{})
		pageOf(t, c, conversation.Query{Date: date(t, "2024-01-03")})
		_, err := c.Search(t.Context(), test.wanted, func(h conversation.Hit) error {
			seqs = append(seqs, fmt.Sprint(h.Message.Seq))
			if h.Before != nil {
				near += h.Before.Text + ";"
			}
			return nil
		})
		if got := strings.Join(seqs, " "); got != test.seqs || err != nil {
			t.Errorf("%s: %s, want %s; %v", test.name, got, test.seqs, err)
		}
		if test.name == "behind" && near != "old 3;old 6;" {
			t.Errorf("before the hits: %s", near)
		}
	}
}

func TestProof_NamesEveryObject(t *testing.T) {
	t.Parallel()
	s := changedScene(t)
	c := s.open(conversation.Options{})
	p, err := c.Proof(t.Context(), 3)
	if err != nil {
		t.Fatal(err)
	}
	want := line(said(3, start+3, "old 3"))
	if p.Line != 3 || string(p.Message.Archived.Raw) != want || p.LineSHA256 != archivetest.Hash([]byte(want)) {
		t.Errorf("line %d: %s", p.Line, p.Message.Archived.Raw)
	}
	if p.Message.Change.Was != p.LineSHA256 || len(p.Changes) != 1 || p.Manifest != "manifest/gid=g/tid=-/0000000001.json" || p.After != 0 {
		t.Errorf("%+v", p)
	}
	if p, err = c.Proof(t.Context(), 7); err != nil || p.Line != 6 {
		t.Errorf("of a placeholder: line %d, %v", p.Line, err)
	}
	if p, err = c.Proof(t.Context(), 8); err != nil || p.Line != 0 || p.Row.Gap.Kind != conversation.GapAbsent {
		t.Errorf("of an absent seq: %+v, %v", p.Row, err)
	}
	if _, err = c.Proof(t.Context(), 9); err == nil {
		t.Error("a seq that is not archived has a proof")
	}
}

// Whatever an element holds, it is shown, and its raw line is kept.
func FuzzElement(f *testing.F) {
	for raw := range strings.Lines(string(testdata.Hostile())) {
		f.Add([]byte(strings.TrimSpace(raw)))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		e, err := chat.ScanElement(raw)
		if err != nil || !json.Valid(raw) {
			return
		}
		s := build(t, e.Seq)
		s.Chunk(e.Seq, e)
		c := s.open(conversation.Options{Memory: 1 << 20})
		day, _, err := c.Ends(t.Context(), time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		p := pageOf(t, c, conversation.Query{Date: day, From: e.Seq})
		last := p.Rows[len(p.Rows)-1]
		if last.Message != nil && (last.Message.Seq != e.Seq || !bytes.Contains(last.Message.Archived.Raw, []byte(`"MsgSeq"`))) {
			t.Errorf("%+v", last.Message)
		}
		if _, err := c.Search(t.Context(), conversation.Wanted{Words: []string{"zz"}}, func(conversation.Hit) error { return nil }); err != nil {
			t.Error(err)
		}
		if _, err := c.Proof(t.Context(), e.Seq); err != nil {
			t.Error(err)
		}
	})
}
