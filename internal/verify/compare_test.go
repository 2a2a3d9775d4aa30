package verify_test

import (
	"errors"
	"iter"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/archive"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/verify"
)

// truth yields what the service would send for the seqs of [lo, hi], with change applied where it has one.
func truth(lo, hi chat.Seq, change map[chat.Seq]string) iter.Seq2[chat.Seq, []byte] {
	return func(yield func(chat.Seq, []byte) bool) {
		for seq := lo; seq <= hi; seq++ {
			raw, ok := message(seq)
			if other, changed := change[seq]; changed {
				raw, ok = other, other != ""
			}
			if 46 <= seq && seq <= 60 {
				ok = false // expired before it was archived
			}
			if ok && !yield(seq, []byte(raw)) {
				return
			}
		}
	}
}

func TestCompare_TellsEveryDifference(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		lo, hi chat.Seq
		change map[chat.Seq]string
		want   verify.Diff
	}{
		"the same": {lo: 1, hi: 100, want: verify.Diff{Equal: 77}},
		"white space does not count": {
			lo: 1, hi: 100, change: map[chat.Seq]string{3: "{ \"IsPlaceMsg\":1,\n\t\"MsgSeq\" : 3,\"MsgTimeStamp\":1700000003 }"},
			want: verify.Diff{Equal: 77},
		},
		"other content": {
			lo: 1, hi: 100, change: map[chat.Seq]string{3: `{"IsPlaceMsg":1,"MsgSeq":3,"MsgTimeStamp":1700000004}`},
			want: verify.Diff{Equal: 76, Different: 1, Seqs: []chat.Seq{3}},
		},
		"other order of members": {
			lo: 1, hi: 100, change: map[chat.Seq]string{3: `{"MsgSeq":3,"IsPlaceMsg":1,"MsgTimeStamp":1700000003}`},
			want: verify.Diff{Equal: 76, Different: 1, Seqs: []chat.Seq{3}},
		},
		"not archived in the middle": {
			lo: 1, hi: 100, change: map[chat.Seq]string{10: `{"MsgSeq":10}`},
			want: verify.Diff{Equal: 77, Missing: 1, Seqs: []chat.Seq{10}},
		},
		"not archived at the end": {lo: 1, hi: 102, want: verify.Diff{Equal: 77, Missing: 2, Seqs: []chat.Seq{101, 102}}},
		"archived, but not true": {
			lo: 1, hi: 98, change: map[chat.Seq]string{2: ""},
			want: verify.Diff{Equal: 75, Extra: 2, Seqs: []chat.Seq{2, 99}},
		},
		"a placeholder need not be expected": {lo: 1, hi: 100, change: map[chat.Seq]string{3: ""}, want: verify.Diff{Equal: 76}},
		"a recalled message must be":         {lo: 1, hi: 100, change: map[chat.Seq]string{5: ""}, want: verify.Diff{Equal: 76, Extra: 1, Seqs: []chat.Seq{5}}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, s := range []chat.Stream{group(), topic()} {
				store := newMemStore()
				sound(t, store, s)
				got, err := verify.Compare(t.Context(), store, s, truth(tt.lo, tt.hi, tt.change))
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", s, diff)
				}
				if got.Same() != (tt.want.Missing+tt.want.Extra+tt.want.Different == 0) {
					t.Error("Same contradicts the numbers")
				}
			}
		})
	}
}

func TestCompare_KnowsSplicedIDsAndReplacedBytes(t *testing.T) {
	t.Parallel()
	s := topic()
	sent := []string{
		`{"MsgSeq":1}`,
		`{"GroupId":"@TGS#_c","MsgSeq":2}`,
		`{"MsgSeq":3,"TopicId":"@TGS#_c@TOPIC#_t,1"}`,
		`{"MsgSeq":4,"TopicId":"@TGS#_c@TOPIC#_t,1","GroupId":"@TGS#_c"}`,
		"{\"MsgSeq\":5,\"Text\":\"\xff\xfe|\xe4\xbd\"}",
		`{"MsgSeq":6,"Big":12345678901234567890.10,"E":"\u0041\/"}`,
	}
	store := newMemStore()
	_, c := sentChunk(t, store, s, sent...)
	if c.Meta.Repaired != 1 {
		t.Errorf("%d lines repaired", c.Meta.Repaired)
	}
	got, err := verify.Compare(t.Context(), store, s, func(yield func(chat.Seq, []byte) bool) {
		for i, raw := range sent {
			if !yield(chat.Seq(i+1), []byte(raw)) {
				return
			}
		}
	})
	if err != nil || got.Equal != int64(len(sent)) || !got.Same() {
		t.Errorf("%v, error %v", &got, err)
	}
	report, err := verify.Stream(t.Context(), store, s, verify.Options{})
	if err != nil || !report.Sound() {
		t.Errorf("findings %v, error %v", report.Findings, err)
	}
}

func TestCompare_WithoutAnArchiveMissesEverything(t *testing.T) {
	t.Parallel()
	got, err := verify.Compare(t.Context(), newMemStore(), group(), truth(1, 9, nil))
	if err != nil || got.Missing != 9 || got.Equal != 0 {
		t.Errorf("%v, error %v", &got, err)
	}
}

func TestCompare_RefusesWhatItCannotRead(t *testing.T) {
	t.Parallel()
	store := newMemStore()
	sound(t, store, group()).edit(layout.Chunk(group(), 21), func(b []byte) []byte { return b[:len(b)-1] })
	if _, err := verify.Compare(t.Context(), store, group(), truth(1, 100, nil)); !errors.Is(err, archive.ErrInvalid) {
		t.Errorf("error %v", err)
	}
}
