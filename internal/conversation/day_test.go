package conversation_test

import (
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
)

// Twenty chunks of two days each, listed by two manifests.
func TestDay_ReadsOnlyTheChunksThatItNeeds(t *testing.T) {
	t.Parallel()
	s := build(t, 1)
	for n := range chat.Seq(20) {
		var elements []string
		for seq := n*50 + 1; seq <= n*50+50; seq++ {
			elements = append(elements, said(seq, start+int64(seq-1)*2*day/50, "x"))
		}
		s.chunk(n*50+50, elements...)
		if n%10 == 9 {
			s.Manifest(archive.StatusComplete)
		}
	}
	c := s.open(conversation.Options{})
	if n := s.store.chunks(); n != 0 {
		t.Errorf("opening it read %d chunks", n)
	}
	p := pageOf(t, c, conversation.Query{Date: date(t, "2024-01-12")})
	if n := s.store.chunks(); n != 1 || p.Total != 25 {
		t.Errorf("a day in the middle has %d rows and took %d chunks", p.Total, n)
	}
	if diff := cmp.Diff([]string{"2024-01-11", "2024-01-13"}, []string{p.Older.String(), p.Newer.String()}); diff != "" {
		t.Error(diff)
	}
	pageOf(t, c, conversation.Query{Date: date(t, "2024-01-13")})
	if n := s.store.chunks(); n != 0 {
		t.Errorf("the day beside it, of the same chunk, took %d", n)
	}
	if p := pageOf(t, c, conversation.Query{Date: date(t, "2024-05-05")}); p.Total != 0 || p.Newer != (conversation.Date{}) || p.Older != date(t, "2024-02-10") {
		t.Errorf("a day behind all: %+v", p)
	}
	if n := s.store.chunks(); n != 0 {
		t.Errorf("a day without chunks took %d", n)
	}
	_, last, err := c.Ends(t.Context(), time.UTC)
	if n := s.store.chunks(); err != nil || last != date(t, "2024-02-10") || n != 1 {
		t.Errorf("the newest day is %s, %v, and took %d chunks", last, err, n)
	}
}

// mixed is an archive in which everything that may be missing is missing, with times that nobody would believe.
func mixed(t *testing.T) *scene {
	t.Helper()
	s := build(t, 4)
	e := []string{said(4, start+10, "first")}
	e = append(e, `{"IsPlaceMsg":1,"MsgBody":[],"MsgSeq":5}`, `{"IsPlaceMsg":1,"MsgBody":[],"MsgSeq":6,"MsgTimeStamp":0}`)
	e = append(e, said(9, start+20, "nine"), said(10, 1704153700000, "in milliseconds"), said(11, start+day, "next day"))
	s.chunk(12, e...)
	s.Expired(20)
	s.Manifest(archive.StatusPartial)
	s.Chunk(22, append(archivetest.Elements(t, said(21, start+2*day, "third day")), chat.NewMalformed(22, []byte("{")))...)
	s.chunk(23, said(23, start+day+5, "an earlier day again"))
	s.Manifest(archive.StatusComplete)
	s.chunk(24, said(24, start+3*day, "not listed yet"))
	return s
}

func TestDay_WhatIsMissingHasItsRow(t *testing.T) {
	t.Parallel()
	s := mixed(t)
	c := s.open(conversation.Options{})
	for day, want := range map[string]string{
		"2024-01-02": "expired:1-3 4 placeholder:5-6 absent:7-8 9 10",
		"2024-01-03": "11 absent:12 23",
		"2024-01-04": "expired:13-20 21 22",
		"2024-01-05": "24",
	} {
		p := pageOf(t, c, conversation.Query{Date: date(t, day)})
		if diff := cmp.Diff(want, shown(p.Rows)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", day, diff)
		}
	}
	key := layout.Chunk(s.Stream, 21)
	if _, err := s.store.Overwrite(t.Context(), key, objstore.Write{Body: []byte("x")}); err != nil {
		t.Fatal(err)
	}
	c = s.open(conversation.Options{})
	p := pageOf(t, c, conversation.Query{Date: date(t, "2024-01-04")})
	if got := shown(p.Rows); got != "expired:13-20 damaged:21-22" || p.Rows[1].Gap.Why == "" {
		t.Errorf("of a damaged chunk: %s", got)
	}
}

// Whatever the zone, and however small the pages, going from day to day shows every seq once.
func TestDay_EverySeqIsInOneRow(t *testing.T) {
	t.Parallel()
	s := mixed(t)
	for _, offset := range []int{-11 * 3600, 0, 5*3600 + 45*60, 14 * 3600} {
		zone := time.FixedZone("z", offset)
		for _, memory := range []int64{1, 0} {
			c := s.open(conversation.Options{Memory: memory})
			first, _, err := c.Ends(t.Context(), zone)
			if err != nil {
				t.Fatal(err)
			}
			seen := map[chat.Seq]int{}
			for d := first; !d.IsZero(); {
				p := pageOf(t, c, conversation.Query{Date: d, Zone: zone, Most: 2})
				for _, part := range p.Parts {
					for _, r := range pageOf(t, c, conversation.Query{Date: d, Zone: zone, Most: 2, From: part}).Rows {
						lo, hi := r.Seq(), r.Seq()
						if r.Gap != nil {
							hi = r.Gap.Hi
						}
						for ; lo <= hi; lo++ {
							seen[lo]++
						}
					}
				}
				d = p.Newer
			}
			for seq := chat.Seq(1); seq <= 24; seq++ {
				if seen[seq] != 1 {
					t.Errorf("seq %d is in %d rows at offset %d, memory %d", seq, seen[seq], offset, memory)
				}
				if day, row, err := c.Find(t.Context(), seq, zone); err != nil || row > seq || day.IsZero() {
					t.Errorf("seq %d is found at %d on %s: %v", seq, row, day, err)
				}
			}
		}
	}
}

func TestMonth_TellsWhatItKnowsAndWhatItDoesNot(t *testing.T) {
	t.Parallel()
	s := build(t, 1)
	s.chunk(3, said(1, start, "a"), said(2, start+2*day, "b"), said(3, start+4*day, "c"))
	s.chunk(4, said(4, start+10*day, "d"))
	s.Manifest(archive.StatusComplete)
	c := s.open(conversation.Options{})
	text := func() (marks []string) {
		for _, m := range c.Month(2024, time.January, time.UTC) {
			marks = append(marks, fmt.Sprintf("%d %v %d", m.Date.Day, m.Sure, m.Count))
		}
		return marks
	}
	if diff := cmp.Diff([]string{"2 true 0", "3 false 0", "4 false 0", "5 false 0", "6 true 0", "12 true 0"}, text()); diff != "" {
		t.Errorf("before a chunk was read (-want +got):\n%s", diff)
	}
	pageOf(t, c, conversation.Query{Date: date(t, "2024-01-02")})
	if diff := cmp.Diff([]string{"2 true 1", "4 true 1", "6 true 1", "12 true 0"}, text()); diff != "" {
		t.Errorf("after (-want +got):\n%s", diff)
	}
}

func TestMemory_IsBounded(t *testing.T) {
	t.Parallel()
	s := build(t, 1)
	for n := range chat.Seq(8) {
		s.chunk(n+1, said(n+1, start+int64(n)*day, strings.Repeat("x", 2000)))
	}
	s.Manifest(archive.StatusComplete)
	c := s.open(conversation.Options{Memory: 10_000})
	read := func(n int) {
		pageOf(t, c, conversation.Query{Date: conversation.DateOf(start+int64(n)*day, time.UTC)})
	}
	for n := range 8 {
		read(n)
	}
	if n := s.store.chunks(); n != 8 {
		t.Fatalf("%d reads of 8 chunks", n)
	}
	read(7)
	if n := s.store.chunks(); n != 0 {
		t.Errorf("the last chunk was read %d times more", n)
	}
	read(0)
	if n := s.store.chunks(); n != 1 {
		t.Errorf("the first chunk was read %d times more: all of them cannot be held", n)
	}
}

// The chain is held to what it says of itself.
func TestChain_ABrokenOneIsTold(t *testing.T) {
	t.Parallel()
	s := build(t, 1)
	s.chunk(1, said(1, start, "a"))
	s.Manifest(archive.StatusComplete)
	s.Link.SHA256 = archivetest.Hash([]byte("another"))
	s.chunk(2, said(2, start+60, "b"))
	s.Manifest(archive.StatusComplete)
	c := s.open(conversation.Options{})
	if c.Broken == "" {
		t.Error("it is not told that the second manifest names another one")
	}
	p := pageOf(t, c, conversation.Query{Date: date(t, "2024-01-02")})
	if got := shown(p.Rows); got != "1 2 broken:3-0" {
		t.Error(got)
	}
}
