package verify_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"chatexport/internal/archive"
	"chatexport/internal/archive/archivetest"
	"chatexport/internal/chat"
	"chatexport/internal/layout"
	"chatexport/internal/verify"
)

// These archives are sound, and somebody who holds the function's role could have invented a part of them.
func TestDoubt_WhatIsImplausibleIsToldAndNoFault(t *testing.T) {
	t.Parallel()
	const day = 24 * 60 * 60
	run := archivetest.When().Unix()
	at := func(lo chat.Seq) string { return layout.Chunk(group(), lo) }
	sent := func(when int64, seqs ...chat.Seq) []chat.Element {
		var texts []string
		for _, seq := range seqs {
			texts = append(texts, fmt.Sprintf(`{"MsgSeq":%d,"MsgTimeStamp":%d}`, seq, when))
		}
		return archivetest.Elements(t, texts...)
	}
	all := func(lo, hi chat.Seq) (seqs []chat.Seq) {
		for seq := lo; seq <= hi; seq++ {
			seqs = append(seqs, seq)
		}
		return seqs
	}
	for name, tt := range map[string]struct {
		grow func(b *builder)
		deep int      // so many of what is told are seen only where chunks are read
		want []string // one a warning
	}{
		"nothing": {grow: func(b *builder) { b.Chunk(200, sent(run, all(101, 200)...)...) }},
		"a message and 49 absent seqs": {
			func(b *builder) { b.Chunk(150, sent(run, 101)...) },
			1,
			[]string{at(101) + ": the archive ends with absent seqs, 102 to 150", at(101) + ": 49 of its 50 seqs are absent"},
		},
		"the last seq is absent":     {func(b *builder) { b.Chunk(150, sent(run, all(101, 149)...)...) }, 1, []string{"absent seqs, 150 to 150"}},
		"no seq came":                {func(b *builder) { b.Chunk(103) }, 0, []string{"absent seqs, 101 to 103"}},
		"absent seqs before the end": {grow: func(b *builder) { b.Chunk(150, sent(run, all(101, 140)...)...); b.Chunk(151, sent(run, 151)...) }},
		"absent seqs between messages": {
			func(b *builder) { b.Chunk(150, sent(run, 101, 150)...); b.Chunk(200, sent(run, 151, 200)...) },
			0,
			[]string{at(101) + ": 48 of its 50 seqs are absent, more than one in 100: real messages may have been called so; the first of 2"},
		},
		"a page of absent seqs": {grow: func(b *builder) { b.Chunk(150, sent(run, append(all(101, 110), all(131, 150)...)...)...) }},
		"one in a hundred":      {grow: func(b *builder) { b.Chunk(2300, sent(run, append(all(101, 110), all(133, 2300)...)...)...) }},
		"the largest span":      {func(b *builder) { b.Chunk(10_000_100, sent(run, 10_000_100)...) }, 0, []string{"9999999 of its 10000000"}},
		"a larger span": {
			func(b *builder) { b.Chunk(10_000_101, sent(run, 10_000_101)...) },
			0,
			[]string{"10000000 of its 10000001", "covers 10000001 seqs that have not expired, more than the largest EXPORT_SPAN, 10000000"},
		},
		"a larger expired range":       {grow: func(b *builder) { b.Expired(20_000_000) }},
		"expired behind an old one":    {grow: func(b *builder) { b.Chunk(101, sent(run-7*day, 101)...); b.Expired(200) }},
		"expired behind a young one":   {func(b *builder) { b.Chunk(101, sent(run-6*day, 101)...); b.Expired(200) }, 0, []string{at(102) + ": is called expired"}},
		"a message from after the run": {func(b *builder) { b.Chunk(101, sent(run+day, 101)...) }, 0, []string{layout.Manifest(group(), 1) + ": lists messages from after"}},
		"a clock that is ahead":        {grow: func(b *builder) { b.Chunk(101, sent(run+60*60, 101)...) }},
	} {
		store := newMemStore()
		b := build(t, store, group(), 1)
		b.Chunk(100, sent(run-30*day, all(1, 100)...)...)
		tt.grow(b)
		b.Manifest(archive.StatusComplete)
		b.State(nil)
		for level, want := range map[verify.Level][]string{verify.LevelFull: tt.want, verify.LevelChain: tt.want[tt.deep:]} {
			report := verified(t, store, verify.Options{Level: level})
			fits := slices.EqualFunc(want, report.Warnings, func(text string, w verify.Finding) bool {
				return w.Kind == verify.KindImplausible && strings.Contains(w.String(), text)
			})
			if !report.Sound() || !fits {
				t.Errorf("%s, level %d: findings %v, warnings %v, want %q", name, level, report.Findings, report.Warnings, want)
			}
			if diff := cmp.Diff(report.Warnings, report.Certify().Warnings, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s: the certificate tells otherwise:\n%s", name, diff)
			}
		}
	}
}
