package verify_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/verify"
)

// changed is a service that holds what looks have found of the archive that looked builds.
func changed(t *testing.T) *service {
	t.Helper()
	source := holding(t, 1, 129)
	for _, seq := range []chat.Seq{2, 30} {
		source.holds[seq] = string(now(t, seq).JSON)
	}
	source.holds[4] = string(placed(t, 4, chat.PlaceRecalled).JSON)
	delete(source.holds, 12)
	source.holds[14] = string(placed(t, 14, chat.PlaceHole).JSON)
	return source
}

func TestSource_WhatHasChangedIsToldAndOnlyAnotherMessageIsAFault(t *testing.T) {
	t.Parallel()
	other := func(s *service, seq chat.Seq, old, text string) {
		s.holds[seq] = strings.Replace(s.holds[seq], old, text, 1)
	}
	for name, tt := range map[string]struct {
		since func(s *service, b *builder)
		want  verify.SourceReport // besides
	}{
		"nothing since the looks":          {func(*service, *builder) {}, verify.SourceReport{}},
		"an edit":                          {func(s *service, _ *builder) { other(s, 6, "m 6", "other") }, verify.SourceReport{Equal: -1, Edited: 1}},
		"an edit of what a look has found": {func(s *service, _ *builder) { other(s, 2, "secret", "other") }, verify.SourceReport{Told: -1, Edited: 1}},
		"back to what it was":              {func(s *service, _ *builder) { s.holds[2], _ = message(2) }, verify.SourceReport{Equal: 1, Told: -1}},
		"a recall":                         {func(s *service, b *builder) { s.holds[8] = string(placed(b.t, 8, chat.PlaceRecalled).JSON) }, verify.SourceReport{Equal: -1, Recalled: 1}},
		"a recall of what a look has found": {
			func(s *service, b *builder) { s.holds[30] = string(placed(b.t, 30, chat.PlaceRecalled).JSON) }, verify.SourceReport{Told: -1, Recalled: 1},
		},
		"a removal":                          {func(s *service, b *builder) { s.holds[16] = string(placed(b.t, 16, chat.PlaceHole).JSON) }, verify.SourceReport{Equal: -1, Deleted: 1}},
		"one that leaves nothing":            {func(s *service, _ *builder) { delete(s.holds, 16) }, verify.SourceReport{Equal: -1, Deleted: 1}},
		"a removal of what a look has found": {func(s *service, _ *builder) { delete(s.holds, 30) }, verify.SourceReport{Told: -1, Deleted: 1}},
		"the oldest expired":                 {func(s *service, _ *builder) { delete(s.holds, 1); delete(s.holds, 2) }, verify.SourceReport{Equal: -1, Told: -1, Expired: 2}},
		"members in another order": {
			func(s *service, _ *builder) {
				other(s, 6, `"IsPlaceMsg":0,`, ``)
				other(s, 6, `}]`, `}],"IsPlaceMsg":0`)
			}, verify.SourceReport{},
		},
		"another sender":                {func(s *service, _ *builder) { other(s, 18, "u2", "x") }, verify.SourceReport{Equal: -1, Different: 1, Seqs: []chat.Seq{18}}},
		"another time":                  {func(s *service, _ *builder) { other(s, 18, "17000", "18000") }, verify.SourceReport{Equal: -1, Different: 1, Seqs: []chat.Seq{18}}},
		"another than a look has found": {func(s *service, _ *builder) { other(s, 2, "u2", "x") }, verify.SourceReport{Told: -1, Different: 1, Seqs: []chat.Seq{2}}},
		"a message that is archived as recalled": {
			func(s *service, _ *builder) { other(s, 5, `"IsPlaceMsg":2`, `"IsPlaceMsg":0`) }, verify.SourceReport{Equal: -1, Different: 1, Seqs: []chat.Seq{5}},
		},
		"a message that is archived as absent": {
			func(s *service, b *builder) { s.holds[10] = string(now(b.t, 10).JSON) }, verify.SourceReport{Missing: 1, Seqs: []chat.Seq{10}},
		},
		"a message that is archived as a placeholder": {
			func(s *service, b *builder) { s.holds[3] = string(now(b.t, 3).JSON) }, verify.SourceReport{Missing: 1, Seqs: []chat.Seq{3}},
		},
		"a damaged look": {
			func(_ *service, b *builder) {
				b.edit(layout.Change(group(), 1), func(body []byte) []byte { body[len(body)/2] ^= 1; return body })
			},
			// What the one behind it has found of 12 and 14 is not known either: they are gone, and older ones are there.
			verify.SourceReport{Told: -4, Edited: 1, Recalled: 1, Deleted: 2},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			store, source := newMemStore(), changed(t)
			tt.since(source, looked(t, store, group()))
			got := compared(t, store, source, 100)
			want := verify.SourceReport{
				Pages: 7, Equal: 88 + tt.want.Equal, Told: 5 + tt.want.Told, Edited: tt.want.Edited, Recalled: tt.want.Recalled, Deleted: tt.want.Deleted,
				Expired: tt.want.Expired, Missing: tt.want.Missing, Different: tt.want.Different, Seqs: tt.want.Seqs,
			}
			if diff := cmp.Diff(want, got); diff != "" || got.Same() != (len(tt.want.Seqs) == 0) {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
